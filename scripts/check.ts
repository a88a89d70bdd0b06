import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** `npm run check`: all checks of a change except its tests. Stops at the first check that fails, and names it. */
const project = join(import.meta.dirname, '..');

const checks: readonly (readonly [headline: string, check: () => boolean])[] = [
  ['types', () => tool('tsc', '-p', '.')],
  ['lint', () => tool('eslint', '.')],
  ['format', () => tool('prettier', '--check', '--log-level', 'warn', '.')],
  ['generated files', () => tool('tsx', 'scripts/generate.ts', '--check')],
  ['unused files, exports and dependencies', () => tool('knip')],
  ['openapi.yaml', () => tool('redocly', 'lint', 'openapi.yaml')],
  ['released contract', () => tool('tsx', 'scripts/released.ts', '--check')],
  ['package-lock.json', () => tool('tsx', 'scripts/lock-file.ts')],
];

for (const [headline, check] of checks) {
  console.log(`-- ${headline}`);
  if (!check()) {
    console.error(`\nFAILED: ${headline}`);
    process.exit(1);
  }
}
console.log(`All ${checks.length} checks pass.`);

function tool(name: string, ...args: string[]): boolean {
  // Redocly looks for newer versions and reports its use unless told otherwise.
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const program = join(project, 'node_modules', '.bin', name);
  return spawnSync(program, args, { cwd: project, stdio: 'inherit', env }).status === 0;
}
