import { readFileSync } from 'node:fs';

// The compiled program lies one folder deeper than its source.
const packageFile = new URL(
  import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json',
  import.meta.url,
);

/** Portico's version, as package.json says. */
export const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string };
