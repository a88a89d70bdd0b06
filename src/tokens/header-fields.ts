import type { IncomingMessage } from 'node:http';

/** The values of every field of that name, given in lower case. Node itself drops a second Host or Authorization. */
export function fieldsNamed({ rawHeaders }: IncomingMessage, lowerCaseName: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName)
      values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}
