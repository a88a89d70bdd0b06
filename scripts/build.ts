import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noticesOf } from './build/notices.ts';
import { buildProgram, warmPrograms } from './build/program.ts';
import { writeReference } from './build/reference.ts';

/**
 * Builds `dist/`: the program as one file with its code cache and source map, its SQL files, the workflow bundle that its
 * workers load, the reference it shows, and the licences of what it consists of.
 */
const project = join(import.meta.dirname, '..');
const output = join(project, 'dist');

rmSync(output, { recursive: true, force: true });
runNode('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
const programs = await buildProgram(output);
writeFileSync(join(output, 'NOTICES.txt'), noticesOf(project, programs));
copyMigrations();
writeReference(output);
runNode('--import', 'tsx', 'scripts/bundle.ts', join(output, 'workflow-bundle.js'));
await warmPrograms(output);

function copyMigrations(): void {
  const [from, to] = [join(project, 'src/database/migrations'), join(output, 'src/database/migrations')];
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((file) => file.endsWith('.sql')))
    cpSync(join(from, name), join(to, name));
}

function runNode(...args: string[]): void {
  const { status } = spawnSync(process.execPath, args, { cwd: project, stdio: 'inherit' });
  if (status !== 0) throw new Error(`failed: node ${args.join(' ')}`);
}
