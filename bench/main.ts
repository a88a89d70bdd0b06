import { parseArgs } from 'node:util';
import { type Bench, openBench } from './method/bench.ts';
import { build } from './method/build.ts';
import { endAll, isPinned, pin } from './method/children.ts';
import { exitCodeOf, gateLine, gates, isJudged, verdictOf } from './method/gates.ts';
import { facts, type SuiteResult, textOf, writeResults } from './method/report.ts';
import type { ServerName } from './servers/temporal.ts';
import { suites } from './suites/index.ts';

/**
 * `npm run bench -- --suite NAME[,NAME] --server fake|dev [--rounds N] [--short]`: what the service costs beside
 * Temporal's own SDK. It needs nothing that runs, leaves nothing behind, and ends with one line for each goal. Exit code
 * 0: passed. 1: a figure is beyond its floor. 2: it could not be run. 3: too much else ran on this machine.
 */
const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'starts' },
    server: { type: 'string', default: 'fake' },
    rounds: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
});
const server = values.server as ServerName;
const isShort = values.short;
const rounds = Number(values.rounds ?? (isShort ? 2 : 7));
const wanted = values.suite.split(',');

/** No run may go on for longer, whatever hangs. */
const limitMs = 30 * 60_000;

for (const name of wanted) {
  const suite = suites[name];
  if (suite === undefined) usage(`there is no suite ${name}: ${Object.keys(suites).join(', ')}`);
  if (!suite.servers.includes(server)) usage(`the suite ${name} runs on these servers: ${suite.servers.join(', ')}`);
}
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1_000) usage('--rounds takes a whole number up to 1000');

setTimeout(() => {
  console.error(`not done after ${limitMs / 60_000} minutes`);
  process.exit(2);
}, limitMs).unref();

process.exitCode = await main().catch((error: unknown) => {
  console.error(error);
  return 2;
});
await endAll();
// What is left, such as an idle connection, holds nothing up.
process.exit();

async function main(): Promise<number> {
  pin(process.pid, 'rest');
  build();
  if (!isPinned) console.log('There is one core or no taskset: the service has no core of its own.');
  const results = await runSuites();
  const file = writeResults(`${wanted.join('-')}-${server}`, { ...facts(), server, rounds, isShort, results });
  console.log(`\n${file}\n`);
  return judge(Object.assign({}, ...Object.values(results).map(({ figures }) => figures)) as SuiteResult['figures']);
}

/** On a real server a suite leaves instances behind that would take the next one's time: it has servers of its own. */
async function runSuites(): Promise<Record<string, SuiteResult>> {
  const results: Record<string, SuiteResult> = {};
  let bench: Bench | undefined;
  try {
    for (const name of wanted) {
      bench ??= await openBench({ server, rounds, isShort });
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

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
