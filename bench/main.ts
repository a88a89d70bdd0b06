import { parseArgs } from 'node:util';
import { StartError } from '../local/start-error.ts';
import { type Bench, openBench } from './method/bench.ts';
import { build } from './method/build.ts';
import { endAll, isPinned, pin } from './method/children.ts';
import { exitCodeOf, gateLine, gates, isJudged, verdictOf } from './method/gates.ts';
import { facts, type SuiteResult, textOf, writeResults } from './method/report.ts';
import { provideClusterPrograms } from './servers/cluster-programs.ts';
import type { ServerName } from './servers/temporal.ts';
import { suites } from './suites/index.ts';

/**
 * `npm run bench -- --suite NAME[,NAME] --server fake|dev|cluster [--rounds N] [--scale S] [--short]`: what the service costs beside
 * Temporal's own SDK. It needs nothing that runs, leaves nothing behind, and ends with one line for each goal. Exit code
 * 0: passed. 1: a figure is beyond its floor. 2: it could not be run. 3: too much else ran on this machine, or
 * `--scale` made it less than the goals ask for.
 */
const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'starts' },
    server: { type: 'string', default: 'fake' },
    rounds: { type: 'string' },
    scale: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
  },
});
const server = values.server as ServerName;
const isShort = values.short;
const rounds = Number(values.rounds ?? (isShort ? 2 : 7));
const scale = Number(values.scale);
const wanted = values.suite.split(',');

/** No run may go on for longer, whatever hangs. */
const limitMs = wanted.length * 30 * 60_000;

for (const name of wanted) {
  const suite = suites[name];
  if (suite === undefined) usage(`there is no suite ${name}: ${Object.keys(suites).join(', ')}`);
  if (!suite.servers.includes(server)) usage(`the suite ${name} runs on these servers: ${suite.servers.join(', ')}`);
}
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) usage('--rounds takes a whole number up to 1000');
if (!(scale > 0 && scale <= 1)) usage('--scale takes a number above 0 and up to 1');

// How long a build takes is Go's matter.
if (server === 'cluster') provideOrEnd();

setTimeout(() => {
  console.error(`not done after ${limitMs / 60_000} minutes`);
  process.exit(2);
}, limitMs).unref();

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof StartError ? error.message : error);
  return 2;
});
await endAll();
// What is left, such as an idle connection, holds nothing up.
process.exit();

async function main(): Promise<number> {
  pin(process.pid, 'rest');
  await build();
  if (!isPinned) console.log('There is one core or no taskset: the service has no core of its own.');
  const results = await runSuites();
  const file = writeResults(`${wanted.join('-')}-${server}`, { ...facts(), server, rounds, isShort, scale, results });
  console.log(`\n${file}\n`);
  return judge(Object.assign({}, ...Object.values(results).map(({ figures }) => figures)) as SuiteResult['figures']);
}

/** On a real server a suite leaves instances behind that would take the next one's time: it has servers of its own. */
async function runSuites(): Promise<Record<string, SuiteResult>> {
  const results: Record<string, SuiteResult> = {};
  let bench: Bench | undefined;
  try {
    for (const name of wanted) {
      bench ??= await openBench({ server, rounds, isShort, scale });
      const result = await suites[name]?.run(bench);
      if (result !== undefined) results[name] = result;
      for (const table of result?.tables ?? []) console.log(textOf(table));
      if (server === 'fake') continue;
      await bench.close();
      bench = undefined;
    }
  } finally {
    await bench?.close();
  }
  return results;
}

function judge(figures: SuiteResult['figures']): number {
  const verdicts = gates.flatMap((gate) => {
    const figure = figures[gate.row];
    if (figure === undefined || !isJudged(gate, isShort)) return [];
    console.log(gateLine(gate, figure, isShort));
    return [verdictOf(gate, figure, isShort)];
  });
  return exitCodeOf(verdicts);
}

function provideOrEnd(): void {
  try {
    provideClusterPrograms();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
