import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { cleanEnvironment } from '../harness/checkout.ts';
import { leashOf } from '../harness/leash.ts';

/** One test as a run saw it. `file` is relative to the checkout. */
export interface TestResult {
  readonly file: string;
  /** With the names of what it stands in. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'other';
  /** The first line of why it failed. */
  readonly why: string;
}

/** What vitest's reporter writes, as far as it is read here. */
const vitestReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
});

export interface TestSelection {
  readonly files: readonly string[];
  /** A regular expression over full names. */
  readonly names: string;
  readonly workers: number;
  /** Whether the first failure is enough. */
  readonly bail: boolean;
}

/** No test has longer. Without a bug all of them must pass in this time too. */
const testLimitMs = 120_000;

/**
 * Runs the selected tests of a checkout, and resolves with those that ran. Empty where vitest could load none of them;
 * what it printed is then the error.
 */
export async function runTests(folder: string, { files, names, workers, bail }: TestSelection): Promise<TestResult[]> {
  const output = mkdtempSync(join(tmpdir(), 'portico-planted-'));
  const report = join(output, 'report.json');
  const limits = [`--testTimeout=${testLimitMs}`, `--hookTimeout=${2 * testLimitMs}`, `--bail=${bail ? 1 : 0}`];
  const reports = ['--reporter=json', `--outputFile=${report}`];
  const child = spawn(
    process.execPath,
    [
      join(folder, 'node_modules', 'vitest', 'vitest.mjs'),
      ...['run', ...files, '-t', names, `--maxWorkers=${workers}`, ...limits, ...reports],
    ],
    { cwd: folder, env: environment(), stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const release = leashOf(child.pid ?? 0, 'KILL');
  const printed: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => printed.push(chunk));
  try {
    await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
    const { testResults } = vitestReport.parse(JSON.parse(readFileSync(report, 'utf8')));
    return testResults.flatMap(({ name: file, assertionResults }) =>
      assertionResults.map(({ fullName, status, failureMessages }) => ({
        file: relative(folder, file),
        name: fullName,
        state: status === 'passed' || status === 'failed' ? status : ('other' as const),
        why: (failureMessages?.[0] ?? '').split('\n')[0] ?? '',
      })),
    );
  } catch (cause) {
    throw new Error(`vitest left no report: ${Buffer.concat(printed).toString().slice(-2_000)}`, { cause });
  } finally {
    release();
    rmSync(output, { recursive: true, force: true });
  }
}

function environment(): NodeJS.ProcessEnv {
  const { PORTICO_TEST_PG_BIN: binaries } = process.env;
  return { ...cleanEnvironment(), ...(binaries === undefined ? {} : { PORTICO_TEST_PG_BIN: binaries }) };
}
