import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `npm run check`: all checks of a change except its tests. Stops at the first check that fails, and names it. */
const project = join(import.meta.dirname, '..');

const checks: readonly (readonly [headline: string, check: () => boolean])[] = [
  ['types', () => tool('tsc', '-p', '.')],
  ['lint', () => tool('eslint', '.')],
  ['format', () => tool('prettier', '--check', '--log-level', 'warn', '.')],
  ['generated files', areGeneratedFilesCurrent],
  ['unused files, exports and dependencies', () => tool('knip')],
  ['openapi.yaml', () => tool('redocly', 'lint', 'openapi.yaml')],
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

/** Generates the files again and compares the two, which also works with changes that are not committed. */
function areGeneratedFilesCurrent(): boolean {
  const before = generatedFiles();
  if (spawnSync('npm', ['run', '--silent', 'generate'], { cwd: project, stdio: 'inherit' }).status !== 0) return false;
  const stale = Object.entries(generatedFiles()).filter(([file, content]) => before[file] !== content);
  for (const [file] of stale) console.error(`${file} was not current. It is now: commit it.`);
  return stale.length === 0;
}

function generatedFiles(): Record<string, string> {
  const documents = readdirSync(join(project, 'docs')).map((name) => join('docs', name));
  const names = ['openapi.yaml', '.env.example', ...readdirSync(project), ...documents].filter((name) =>
    /\.(md|yaml|example)$/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(project, name), 'utf8')]));
}
