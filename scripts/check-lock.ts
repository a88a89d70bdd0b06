import { readFileSync } from 'node:fs';
import { findingsIn, lockFile } from './lock-file.ts';

/** Fails where package-lock.json would not install on some platform, or installs what is not allowed. */
const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
const findings = findingsIn(lockFile.parse(JSON.parse(text)));
for (const finding of findings) console.error(finding);
process.exitCode = findings.length === 0 ? 0 : 1;
