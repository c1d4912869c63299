/** The lines of the plot, by the names of their calls. */
const colours: Record<string, string> = {
  'ticket by short id': '#2f6db3',
  'guild, newest': '#d9a441',
  'guild, newest, at 95 %': '#c96f4a',
  create: '#4a8f5b',
  claim: '#7a4a8f',
};

/** The medians of some calls over the number of tickets, both axes by powers of ten. */
export function plotSizes(sizes: number[], calls: { name: string; p50: number[] }[]): string {
  const lines = calls.filter(({ name }) => name in colours);
  const [width, height, left, right, top, bottom] = [760, 360, 60, 190, 40, 40];
  const all = lines.flatMap(({ p50 }) => p50).map(Math.log10);
  const [least, most] = [Math.floor(Math.min(...all)), Math.ceil(Math.max(...all))];
  const [from, to] = [Math.log10(sizes[0] ?? 1), Math.log10(sizes.at(-1) ?? 10)];
  const xOf = (size: number) => left + ((Math.log10(size) - from) / (to - from || 1)) * (width - left - right);
  const yOf = (milliseconds: number) =>
    height - bottom - ((Math.log10(milliseconds) - least) / (most - least)) * (height - top - bottom);
  const parts: string[] = [];
  for (let power = least; power <= most; power += 1) {
    const y = yOf(10 ** power);
    parts.push(`<path d="M${left} ${y}H${width - right}" stroke="#ddd"/>`);
    parts.push(`<text x="${left - 6}" y="${y + 4}" text-anchor="end">${10 ** power} ms</text>`);
  }
  for (const size of sizes) {
    parts.push(
      `<text x="${xOf(size)}" y="${height - bottom + 18}" text-anchor="middle">${size.toLocaleString('en')}</text>`,
    );
  }
  for (const [place, { name, p50 }] of lines.entries()) {
    const points = p50.map((milliseconds, at) => `${xOf(sizes[at] ?? 1)},${yOf(milliseconds)}`);
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colours[name]}" stroke-width="2"/>`);
    const y = top + place * 20;
    parts.push(`<rect x="${width - right + 16}" y="${y}" width="12" height="12" fill="${colours[name]}"/>`);
    parts.push(`<text x="${width - right + 34}" y="${y + 10}">${name}</text>`);
  }
  const title = 'Median milliseconds of a call, over the number of tickets';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="8" y="18" font-weight="bold">${title}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}
