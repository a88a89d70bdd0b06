import type { Figure } from './arithmetic.ts';

/** What a row of the goals asks for: a floor that fails the run, and the goal. Whether more or less is better is `wants`. */
export interface Gate {
  readonly row: string;
  readonly figure: string;
  readonly wants: 'more' | 'less';
  readonly floor: number;
  readonly goal: number;
  /** The floor of a short run, with a margin for a machine that others use; undefined where such a run says nothing. */
  readonly shortFloor?: number;
}

export type Verdict = 'pass' | 'fail' | 'noisy' | 'partial';

const ratio = (row: string, figure: string, floor: number, goal: number, shortFloor?: number): Gate => ({
  row,
  figure,
  wants: 'more',
  floor,
  goal,
  ...(shortFloor === undefined ? {} : { shortFloor }),
});
const cost = (row: string, figure: string, floor: number, goal: number, shortFloor?: number): Gate => ({
  ...ratio(row, figure, floor, goal, shortFloor),
  wants: 'less',
});
const count = (row: string, figure: string, most: number): Gate => cost(row, figure, most, most, most);

/** The goals as data, by row. A suite gives figures by these names; those of no suite that ran are not printed. */
export const gates: readonly Gate[] = [
  ratio('1-api', 'starts a second, role api ÷ direct client', 1, 1.4),
  ratio('1-all', 'starts a second, role all ÷ direct client', 1, 1.4),
  ratio('1-api-cpu', 'CPU of a start, direct client ÷ role api', 1, 1.4, 0.15),
  ratio('1-all-cpu', 'CPU of a start, direct client ÷ role all', 1, 1.4, 0.15),
  ratio('2-api', 'starts a second, role api ÷ direct native', 0.75, 0.95),
  ratio('2-all', 'starts a second, role all ÷ direct native', 0.75, 0.95),
  ratio('3-api', 'starts a second, role api ÷ describe-then-start', 4, 8),
  ratio('3-all', 'starts a second, role all ÷ describe-then-start', 4, 8),
  ratio('4', 'real server: starts a second ÷ direct client', 0.95, 1),
  cost('5-p50', 'real server, one caller: added p50 ÷ direct p50', 0.15, 0.06),
  cost('5-p99', 'real server, one caller: added p99 ÷ direct p50', 0.75, 0.4),
  cost('6', 'one step, start to result by Prefer: wait in role all ÷ direct start and result()', 0.8, 0.4),
  cost('6-steps', 'the same of several steps', 0.8, 0.4),
  ratio('6-eager', 'eager starts of one caller, as a share of all', 0.99, 0.99),
  ratio('6-load', 'eager starts at 70 % of the load that workers take', 0.99, 0.99),
  count('7-fresh', 'RPCs of a fresh start', 1),
  count('7-mismatch', 'RPCs of a start with another payload', 1),
  count('7-duplicate', 'RPCs of a start that another process took before', 2),
  count('7-again', 'RPCs of a start that this process took before', 1),
  count('7-result', 'RPCs of a repeated start with its result', 3),
  cost('7-wait', 'RPCs of a wait that ends in time, beyond its long poll', 1, 0),
  cost('8', 'start that this process took before: p50 ÷ fresh start p50', 1, 0.5),
  cost('9', 'read p50 ÷ direct describe p50', 1.3, 1.1),
  cost('10-401', 'CPU of a 401 ÷ an accepted start', 0.5, 0.25, 1),
  cost('10-400', 'CPU of a 400 ÷ an accepted start', 0.5, 0.25, 1.2),
  cost('10-413', 'CPU of a 413 ÷ an accepted start', 0.5, 0.25, 1),
  cost('10-429', 'CPU of a 429 ÷ an accepted start', 0.5, 0.25, 1),
  count('10-rpc', 'RPCs of refused requests', 0),
  cost('11-api', 'api ready ÷ a bare Fastify', 2, 1.4),
  cost('11-all', 'all ready ÷ a bare Fastify and an idle worker', 1.5, 1.1),
  cost('12-api', 'idle RSS of api in MB', 150, 110),
  cost('12-all', 'idle RSS of all in MB', 220, 170),
  cost('12-growth', 'growth of RSS over the soak', 0.2, 0.02),
  ratio('13-goodput', 'goodput at twice the capacity ÷ peak goodput', 0.8, 0.95),
  cost('13-p99', 'p99 of accepted starts at twice the capacity ÷ p99 at half load', 5, 2),
  cost('14-history', 'GET p50 at 10,000 events ÷ at 10', 1.5, 1.1),
  cost('14-open', 'start p50 beside 50,000 open instances ÷ beside 1,000', 1.5, 1.1),
  cost('14-list', 'list page 1,000 ÷ page 1', 1.5, 1.1),
  cost('14-entries', 'balance of an account with 1,000,000 entries ÷ with 10', 1.5, 1.1),
  cost('14-freeze', 'freeze of an account with 1,000,000 entries ÷ with 10', 1.5, 1.1),
  cost('15-latency', 'start to end of a transfer by one commit ÷ step by step', 0.6, 0.35),
  cost('15-events', 'history events of a transfer ÷ step by step', 0.6, 0.35),
  cost('15-tasks', 'workflow tasks of a transfer ÷ step by step', 0.6, 0.35),
  cost('16-cpu', 'CPU of a start in a batch of 50 ÷ alone', 0.8, 0.6, 0.95),
  ratio('16-rate', 'starts a second in batches of 50 ÷ alone', 1.1, 1.4),
  count('16-rpc', 'RPCs of a fresh start in a batch', 1),
  cost('15-writes', 'writing transactions of a transfer ÷ step by step', 0.5, 0.5),
];

/**
 * Judges by the floor. A figure from too few quiet windows is neither a pass nor a fail; a count is never noisy. A figure
 * of fewer things than the goal names may fail, and is no pass.
 */
export function verdictOf(gate: Gate, figure: Figure, isShort: boolean): Verdict {
  if (figure.isNoisy && !isShort) return 'noisy';
  const floor = floorOf(gate, isShort);
  // What could not be measured is no pass.
  const isWithin = gate.wants === 'more' ? figure.value >= floor : figure.value <= floor;
  if (!isWithin) return 'fail';
  return figure.isPartial === true ? 'partial' : 'pass';
}

/** Whether a run of this length says anything of the gate. */
export const isJudged = (gate: Gate, isShort: boolean): boolean => !isShort || gate.shortFloor !== undefined;

/** `GATE <row> <figure> <floor> <goal> <verdict>` */
export const gateLine = (gate: Gate, figure: Figure, isShort: boolean): string =>
  ['GATE', gate.row, shown(figure.value), floorOf(gate, isShort), gate.goal, verdictOf(gate, figure, isShort)].join(
    ' ',
  );

const floorOf = (gate: Gate, isShort: boolean): number => (isShort ? (gate.shortFloor ?? gate.floor) : gate.floor);

const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 3 : 1));

/** The exit code of a run: 0 passed, 1 failed, 3 noisy or partial. A fail outweighs both. */
export const exitCodeOf = (verdicts: readonly Verdict[]): 0 | 1 | 3 =>
  verdicts.includes('fail') ? 1 : verdicts.every((verdict) => verdict === 'pass') ? 0 : 3;
