import { execFile } from 'node:child_process';
import { join } from 'node:path';

const project = join(import.meta.dirname, '..', '..');

/** One line that the command writes: an instance, or a total. */
interface Line {
  readonly transferId?: string;
  readonly outcome?: string;
  readonly missing?: string;
  readonly total?: object;
  readonly [field: string]: unknown;
}

/** Runs the command `missing` as the image does, with these settings and nothing of our environment. */
export function runMissing(since: string, environment: Readonly<Record<string, string>>) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const words = ['--import', 'tsx', 'src/main.ts', 'missing', '--since', since];
  const options = { cwd: project, env: { PATH, HOME, TMPDIR, ...environment } };
  return new Promise<{ code: number; lines: Line[]; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, words, options, (_error, stdout, stderr) => {
      const lines = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line);
      resolve({ code: child.exitCode ?? -1, lines, stderr });
    });
  });
}
