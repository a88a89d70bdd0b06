import type { Finding } from './contract.ts';

/** What is told of findings: each with its place and rule, and how to go on. */
export const reportOn = (findings: readonly Finding[]): string =>
  [
    ...findings.map(({ rule, place, message }) => `${place}: ${message} (${rule})`),
    '',
    `openapi.yaml breaks callers of openapi.released.yaml, in ${findings.length} ${findings.length === 1 ? 'place' : 'places'}. Let them go on as they are; or,`,
    'where the break is meant, say in docs/upgrade.md what they have to do, and run `npm run release:openapi`.',
  ].join('\n');
