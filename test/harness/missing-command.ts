import { runProgram } from './command.ts';

/** One line that the command writes: an instance, or a total. */
interface Line {
  readonly transferId?: string;
  readonly outcome?: string;
  readonly missing?: string;
  readonly total?: object;
  readonly [field: string]: unknown;
}

/** Runs the command `missing`, with these settings and nothing of our environment. */
export async function runMissing(since: string, environment: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await runProgram(['missing', '--since', since], environment);
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  return { code, lines, stderr };
}
