import { setTimeout as sleep } from 'node:timers/promises';
import { readTimes, type Use, useBetween } from '../method/processor-time.ts';

/** One request, from its sending to its whole answer. Gives `false` where it was refused; rejects where it failed. */
export type Send = (index: number) => Promise<unknown>;

export interface ClosedLoop {
  /** Each sends its next request when the last one is answered. */
  readonly callers: number;
  /** Before the window opens. */
  readonly rampMs: number;
  readonly windowMs: number;
  /** At most so many requests; then the window ends early. */
  readonly maxRequests?: number;
}

/** What one window saw. */
export interface Window {
  /** Without those that were refused. */
  readonly requests: number;
  readonly use: Use;
  /** Milliseconds of each request, in the order of their ends. */
  readonly latencies: readonly number[];
}

/** Indexes are never used twice in one process: each names a key of its own. */
let nextIndex = 0;

/** Sends as fast as answers come. `pids` are all processes of the benchmark; those of them that are watched are in `use`. */
export async function closedLoop(send: Send, loop: ClosedLoop, pids: readonly number[]): Promise<Window> {
  const { callers, rampMs, windowMs, maxRequests = Number.POSITIVE_INFINITY } = loop;
  const state = { isOver: false, isOpen: false, sent: 0 };
  const latencies: number[] = [];
  let failure: Error | undefined;
  const call = async () => {
    while (!state.isOver && state.sent < maxRequests) {
      state.sent += 1;
      const sentAtMs = performance.now();
      const isDone = (await send(nextIndex++)) !== false;
      if (state.isOpen && isDone) latencies.push(performance.now() - sentAtMs);
    }
  };
  const all = Promise.all(Array.from({ length: callers }, call)).catch((error: unknown) => {
    failure = failureOf(error);
    state.isOver = true;
  });
  if (rampMs > 0) await Promise.race([all, sleep(rampMs)]);
  const before = readTimes(pids);
  state.isOpen = true;
  await Promise.race([all, sleep(windowMs)]);
  state.isOpen = false;
  const use = useBetween(before, readTimes(pids));
  state.isOver = true;
  await all;
  if (failure !== undefined) throw failure;
  return { requests: latencies.length, use, latencies };
}

export interface OpenLoop {
  readonly perSecond: number;
  /** What is due while so many are under way is refused unsent. Not given: the window fails at 2,000. */
  readonly maxUnderWay?: number;
  readonly rampMs: number;
  readonly windowMs: number;
}

/** More requests than this under way: the peer does not keep up, and the rest is not sent. */
const maxUnderWay = 2_000;

/**
 * Sends at a fixed rate whether or not answers come, and measures from the moment at which a request was due. A request
 * that has to wait for the one before it is as late as its caller would see it. Moments are whole milliseconds.
 */
export async function openLoop(send: Send, loop: OpenLoop, pids: readonly number[]): Promise<Window> {
  const { perSecond, rampMs, windowMs } = loop;
  const latencies: number[] = [];
  const underWay = new Set<Promise<unknown>>();
  let failure: Error | undefined;
  let before = readTimes(pids);
  let isOpen = false;
  let requests = 0;
  const startedAtMs = performance.now();
  const total = Math.floor((perSecond * (rampMs + windowMs)) / 1_000);
  const first = Math.floor((perSecond * rampMs) / 1_000);
  for (let index = 0; index < total && failure === undefined; index += 1) {
    const dueAtMs = startedAtMs + Math.ceil((index * 1_000) / perSecond);
    for (let restMs = dueAtMs - performance.now(); restMs > 0; restMs = dueAtMs - performance.now())
      await sleep(restMs);
    if (index === first) {
      before = readTimes(pids);
      isOpen = true;
    }
    if (underWay.size >= (loop.maxUnderWay ?? Number.POSITIVE_INFINITY)) continue;
    if (underWay.size > maxUnderWay) throw new Error(`${underWay.size} requests wait for their answers`);
    const call = send(nextIndex++)
      .then((answer) => {
        if (answer === false) return;
        if (isOpen) requests += 1;
        if (index >= first) latencies.push(performance.now() - dueAtMs);
      })
      .catch((error: unknown) => {
        failure = failureOf(error);
      })
      .finally(() => underWay.delete(call));
    underWay.add(call);
  }
  // Answers after the last request was due are none of the rate, but of the latencies.
  const use = useBetween(before, readTimes(pids));
  isOpen = false;
  await Promise.all(underWay);
  if (failure !== undefined) throw failure;
  return { requests, use, latencies };
}

const failureOf = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
