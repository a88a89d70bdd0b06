import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provideTemporalCli } from '../../local/temporal/cli.ts';
import { copyCheckout } from '../harness/checkout.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { plantedBugs } from './bugs.ts';
import { plant, textsThatDoNotFit } from './plant.ts';
import type { PlantedBug } from './planted-bug.ts';
import { runTests, type TestResult } from './run-tests.ts';

/**
 * `npm run test:planted`: plants each bug in a copy of this checkout and runs the tests that must catch it; arguments
 * choose bugs by a part of their names. First the same tests have to pass without any bug. Fails where a bug lives, where
 * its text no longer fits the code, and where its tests do not pass without it.
 */
const project = join(import.meta.dirname, '..', '..');
const startedAt = performance.now();
/** Each takes about one core, and starts a Temporal server and a PostgreSQL of its own. */
const width = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(chosen: readonly string[]): Promise<number> {
  const bugs = plantedBugs.filter(({ name }) => chosen.length === 0 || chosen.some((part) => name.includes(part)));
  if (bugs.length === 0)
    throw new Error(`No bug has such a name. There are: ${plantedBugs.map(({ name }) => name).join('; ')}`);
  await provideTemporalCli({ environment: process.env, log: (line) => console.error(line) });
  const fitting = bugs.filter((bug) => isFitting(bug));
  const misfits = bugs.filter((bug) => !fitting.includes(bug) && bug.mayBeGone === undefined).length;
  const green = await runWithoutBugs(fitting);
  const verdicts = await inParallel(width, fitting, async (bug) => report(bug, await verdictOn(bug, green)));
  const caught = verdicts.filter((isCaught) => isCaught).length;
  const lived = fitting.length - caught;
  console.log(`${caught} caught, ${lived} lived, ${misfits} do not fit the code, ${minutes()}`);
  return lived + misfits === 0 ? 0 : 1;
}

function isFitting(bug: PlantedBug): boolean {
  const misfits = textsThatDoNotFit(bug, (file) => readFileSync(join(project, file), 'utf8'));
  if (misfits.length > 0)
    console.log(`${bug.mayBeGone === undefined ? 'DOES NOT FIT' : 'GONE'} ${bug.name}: ${misfits.join('; ')}`);
  return misfits.length === 0;
}

/** All tests that are named, in one run of a copy without any bug. */
async function runWithoutBugs(bugs: readonly PlantedBug[]): Promise<TestResult[]> {
  const copy = copyCheckout();
  try {
    const files = [...new Set(bugs.map(({ caughtBy: [file] }) => file))];
    const names = bugs.map(({ caughtBy: [, tests] }) => `(?:${tests})`).join('|');
    const results = await runTests(copy.folder, { files, names, workers: width, bail: false });
    const passed = results.filter(({ state }) => state === 'passed').length;
    console.log(`WITHOUT BUGS ${passed} tests of ${files.length} files pass, ${minutes()}`);
    return results;
  } finally {
    copy.remove();
  }
}

interface Verdict {
  readonly isCaught: boolean;
  readonly because: string;
}

async function verdictOn(bug: PlantedBug, green: readonly TestResult[]): Promise<Verdict> {
  const [file, names] = bug.caughtBy;
  const before = green.filter((test) => test.file === file && new RegExp(names).test(test.name));
  const broken = before.find(({ state }) => state === 'failed');
  if (broken !== undefined) return lives(`without the bug "${broken.name}" fails as well: ${broken.why}`);
  if (!before.some(({ state }) => state === 'passed')) return lives(`no test of ${file} is called "${names}" and runs`);
  const copy = copyCheckout();
  try {
    plant(bug, copy);
    const results = await runTests(copy.folder, { files: [file], names, workers: 1, bail: true });
    const failed = results.find(({ state }) => state === 'failed');
    if (failed === undefined) return lives(`no test of ${file} fails`);
    if (isTimeOut(failed) && bug.hangs !== true) return lives(`"${failed.name}" ran out of time`);
    return { isCaught: true, because: `by "${failed.name}": ${failed.why}` };
  } catch (error) {
    return lives(error instanceof Error ? error.message : String(error));
  } finally {
    copy.remove();
  }
}

/** Vitest gives a test that ran out of time a stack with this placeholder for a message. */
function isTimeOut({ why }: TestResult): boolean {
  return /timed out in|STACK_TRACE_ERROR/.test(why);
}

function lives(because: string): Verdict {
  return { isCaught: false, because };
}

function report({ name }: PlantedBug, { isCaught, because }: Verdict): boolean {
  console.log(`${isCaught ? 'CAUGHT' : 'LIVED '} ${name}, ${because.slice(0, 300)} (${minutes()})`);
  return isCaught;
}

function minutes(): string {
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  return `after ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
