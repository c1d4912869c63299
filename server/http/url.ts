import { InvalidEncoding, shorten, ValidationFailed } from '../errors.ts';

/** The path and the query of a request target, both still percent-encoded. An absolute form loses its authority. */
export function splitTarget(target: string): { path: string; query: string } {
  const local = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  const [, path = '', query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(local) ?? [];
  return { path, query };
}

/** Percent-decodes once; throws InvalidEncoding. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidEncoding('The path or the query is not percent-encoded UTF-8.');
  }
}

/** The fields of a query; throws InvalidEncoding, or ValidationFailed where one is given twice or is not `wanted`. */
export function readQuery(query: string, wanted: (name: string) => boolean): Record<string, string> {
  if (query === '') return {};
  const fields = query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', ...rest] = part.replaceAll('+', ' ').split('=');
      return [decodePart(name), decodePart(rest.join('='))] as const;
    });
  const seen = new Set<string>();
  const issues = fields.flatMap(([name]) => {
    if (!wanted(name)) return [{ path: name, message: 'Unknown field' }];
    if (seen.has(name)) return [{ path: name, message: 'Given twice' }];
    seen.add(name);
    return [];
  });
  if (issues.length > 0) throw new ValidationFailed(shorten(issues));
  return Object.fromEntries(fields);
}
