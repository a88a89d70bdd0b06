import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { provideTemporalCli } from '../local/temporal/cli.ts';
import { progressVariable, reportVariable, type TestReport, testReport } from './test-reporter.ts';

const project = join(import.meta.dirname, '..');

process.exit(await runTests(process.argv.slice(2)));

/**
 * Runs vitest against a real Temporal server. Says how far it is, what was skipped and why, what needed a second try, and
 * ends with the line `N passed, N failed, N skipped`. Resolves with the exit code; with `CI` set a skipped test is a failure.
 */
async function runTests(args: string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-tests-'));
  try {
    await provideTemporalCli({ environment: process.env, log: (line) => console.error(line) });
    const reportFile = join(folder, 'report.json');
    const exitCode = await vitest(args, reportFile);
    if (!existsSync(reportFile)) return exitCode || 1;
    return conclude(testReport.parse(JSON.parse(readFileSync(reportFile, 'utf8'))), exitCode);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function conclude({ passed, failed, skipped, retried }: TestReport, exitCode: number): number {
  for (const { file, name } of retried) console.log(`PASSED AT A SECOND TRY ${relative(project, file)} > ${name}`);
  for (const { file, name, reason } of skipped) console.log(`SKIPPED ${relative(project, file)} > ${name}: ${reason}`);
  const isRefused = skipped.length > 0 && !['', 'false', '0'].includes(process.env['CI'] ?? '');
  if (isRefused) console.log('In CI a skipped test is a failure: give it what it needs.');
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return exitCode === 0 && isRefused ? 1 : exitCode;
}

function vitest(args: string[], reportFile: string): Promise<number> {
  const program = join(project, 'node_modules', 'vitest', 'vitest.mjs');
  const reporter = join(import.meta.dirname, 'test-reporter.ts');
  const child = spawn(process.execPath, [program, 'run', '--reporter=default', `--reporter=${reporter}`, ...args], {
    cwd: project,
    stdio: 'inherit',
    // A terminal shows what runs. Elsewhere a line says so now and then, for a slow machine is silent for minutes.
    env: { [progressVariable]: process.stdout.isTTY ? '0' : '20000', ...process.env, [reportVariable]: reportFile },
  });
  // Ctrl-C in a terminal reaches vitest by itself, because it goes to the whole group. Other signals are passed on.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
