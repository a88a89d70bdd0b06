import type { LoadTask } from '../load/task.ts';
import type { ClosedLoop, OpenLoop, Window } from '../load/window.ts';
import { maxForeignShare, median, quantile, type Sample } from './arithmetic.ts';
import type { Peer } from './bench.ts';

/** One peer under one kind of request. */
export interface Contender {
  readonly name: string;
  readonly peer: Peer;
  readonly kind: LoadTask['kind'];
  readonly loop: ClosedLoop | OpenLoop;
}

/**
 * What an open loop may have under way: below the connections that one address may have. On a machine that others keep busy
 * the rest is not sent.
 */
export const maxUnderWay = 450;

/** The windows of each contender by round. */
export type Rounds = ReadonlyMap<string, readonly Window[]>;

/**
 * Lets the contenders take turns, round after round, so that whatever disturbs the machine for a while meets all of them.
 * The order turns with each round: nobody is always the one that comes after the heaviest.
 */
export async function inRounds(contenders: readonly Contender[], rounds: number): Promise<Rounds> {
  const windows = new Map<string, Window[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + round) % contenders.length];
      if (contender === undefined) continue;
      const { name, peer, kind, loop } = contender;
      windows.get(name)?.push(await peer.load(kind, loop));
    }
  }
  return windows;
}

/** Lets each contender run until its code is compiled and its connections stand. */
export async function warmUp(contenders: readonly Contender[], ms: number): Promise<void> {
  for (const { peer, kind, loop } of contenders) await peer.load(kind, { ...loop, rampMs: 0, windowMs: ms });
}

const samplesOf = (windows: readonly Window[], value: (window: Window) => number): Sample[] =>
  windows.map((window) => ({ value: value(window), isQuiet: window.use.foreign <= maxForeignShare }));

/** Requests a second. */
export const rates = (windows: readonly Window[]): Sample[] =>
  samplesOf(windows, ({ requests, use }) => (1_000 * requests) / use.wallMs);

/** Microseconds of processor time for each request, over all threads of the process. */
export const costs = (windows: readonly Window[], pid: number): Sample[] =>
  samplesOf(windows, ({ requests, use }) => (1_000 * (use.processes[pid] ?? 0)) / requests);

/** A quantile of the latencies of each window, in milliseconds. */
export const latenciesAt = (windows: readonly Window[], share: number): Sample[] =>
  samplesOf(windows, ({ latencies }) => quantile(latencies, share));

/** The share of the machine that others took: the middle of all windows, as a percentage. */
export const foreignCell = (windows: readonly Window[]): string =>
  `${(100 * median(windows.map(({ use }) => use.foreign))).toFixed(0)} %`;

/** How busy the other processes of the benchmark were, as a percentage of one core. Near 100, they are the limit. */
export const restCell = (windows: readonly Window[], pid: number): string =>
  `${(100 * median(windows.map(({ use }) => restMs(use, pid) / use.wallMs))).toFixed(0)} %`;

const restMs = ({ processes }: Window['use'], pid: number): number =>
  Object.entries(processes).reduce((sum, [other, ms]) => (Number(other) === pid ? sum : sum + ms), 0);
