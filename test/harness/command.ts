import { execFile } from 'node:child_process';
import { join } from 'node:path';

const project = join(import.meta.dirname, '..', '..');

/** Runs a command of the program as the image does, with these settings and nothing of our environment. */
export function runProgram(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const options = { cwd: project, env: { PATH, HOME, TMPDIR, ...environment } };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', 'src/main.ts', ...words],
      options,
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
