import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { findBreakingChanges } from './released/breaking-changes.ts';
import type { Contract } from './released/contract.ts';
import { reportOn } from './released/report.ts';
import { contractOf } from './released/strip.ts';

/**
 * `npm run release:openapi` makes `openapi.released.yaml` anew: the contract that callers rely on from then on. With
 * `--check` it writes nothing, and fails where `openapi.yaml` breaks a caller of the released contract.
 */
const root = new URL('../', import.meta.url);
const released = new URL('openapi.released.yaml', root);
const present = contractOf(read(new URL('openapi.yaml', root)));

const header =
  '# The released contract, without prose and examples. Written by `npm run release:openapi`. Do not edit.\n';

if (process.argv.includes('--check')) check();
else writeFileSync(released, header + stringify(present, { lineWidth: 0, aliasDuplicateObjects: false }));

function check(): void {
  const findings = findBreakingChanges(read(released) as Contract, present as Contract);
  if (findings.length === 0) return;
  console.error(reportOn(findings));
  process.exitCode = 1;
}

function read(file: URL): unknown {
  return parse(readFileSync(file, 'utf8'));
}
