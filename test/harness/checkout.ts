import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const project = join(import.meta.dirname, '..', '..');

/** A copy of this checkout that a test may change: everything git knows or would take, with the installed packages. */
export function copyCheckout() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-checkout-'));
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: project,
    encoding: 'utf8',
  });
  // A file that was removed and not yet committed is still listed.
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(project, name)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(project, file), join(folder, file));
  }
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    path: (file: string): string => join(folder, file),
    read: (file: string): string => readFileSync(join(folder, file), 'utf8'),
    write: (file: string, text: string): void => writeFileSync(join(folder, file), text),
    remove: (): void => rmSync(folder, { recursive: true, force: true }),
    /** Runs a program of the copy to its end. */
    run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
      const env = { ...cleanEnvironment(), ...environment };
      const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', env });
      return { status, output: `${stdout}${stderr}`, stdout };
    },
  };
}

/** Nothing of the test run that could make a program of the copy behave as part of it. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|TEMPORAL_ADDRESS|PORTICO_|npm_)/.test(name)),
  );
