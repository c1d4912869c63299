import type { Result } from './row.ts';

const [left, top, width, height] = [60, 40, 820, 220];
/** Labels of faults may stand in so many lines below each other. */
const labelLines = 3;

/** An SVG plot of calls a second over time, with the faults marked. */
export function plot(title: string, { timeline = [], faults = [] }: Result): string {
  const end = Math.max(1, ...timeline.map(({ second }) => second + 1), ...faults.map(({ second }) => second));
  const most = Math.max(1, ...timeline.map(({ succeeded, failed }) => succeeded + failed));
  const x = (second: number) => (left + (second / end) * width).toFixed(1);
  const y = (calls: number) => (top + height - (calls / most) * height).toFixed(1);
  const bars = timeline.flatMap(({ second, succeeded, failed }) => {
    const bar = (from: number, to: number, colour: string) =>
      to > from ? [`<path d="M${x(second)} ${y(from)}V${y(to)}H${x(second + 1)}V${y(from)}Z" fill="${colour}"/>`] : [];
    return [...bar(0, succeeded, '#2a7'), ...bar(succeeded, succeeded + failed, '#d33')];
  });
  const marks = faults.flatMap(({ second, what }, place) => [
    `<path d="M${x(second)} ${top}V${top + height + 4}" stroke="#000" stroke-dasharray="3 3"/>`,
    ...(faults.length <= 12
      ? [
          `<text x="${x(second)}" y="${top + height + 34 + (place % labelLines) * 14}" font-size="10">${inXml(what)}</text>`,
        ]
      : []),
  ]);
  const what = [...new Set(faults.map((fault) => fault.what))].join('; ');
  const legend = faults.length > 12 ? `<text x="${left}" y="${top + height + 40}">dashed: ${inXml(what)}</text>` : '';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 90} ${top + height + 80}" font-family="sans-serif" font-size="12">`,
    `<title>${inXml(title)}</title>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="8" y="18" font-weight="bold">${inXml(title)}: calls a second</text>`,
    `<rect x="${left + 360}" y="8" width="12" height="12" fill="#2a7"/><text x="${left + 376}" y="18">answered</text>`,
    `<rect x="${left + 460}" y="8" width="12" height="12" fill="#d33"/><text x="${left + 476}" y="18">503, or no answer</text>`,
    ...bars,
    ...marks,
    legend,
    `<path d="M${left} ${top}V${top + height}H${left + width}" fill="none" stroke="#333"/>`,
    `<text x="${left - 6}" y="${top + 8}" text-anchor="end">${most}</text>`,
    `<text x="${left - 6}" y="${top + height}" text-anchor="end">0</text>`,
    `<text x="${left}" y="${top + height + 18}">0 s</text>`,
    `<text x="${left + width}" y="${top + height + 18}" text-anchor="end">${Math.round(end)} s</text>`,
    '</svg>\n',
  ].join('\n');
}

function inXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
