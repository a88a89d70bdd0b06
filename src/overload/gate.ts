import { Problem } from '../problems.ts';
import { createFairGate } from '../timing/fair-gate.ts';
import { createReturnTimes } from '../timing/return-times.ts';
import type { CostRules } from './cost-rules.ts';
import { createLatencyLimit } from './latency-limit.ts';

/** The right of one request to call Temporal and the database. Only the first call of either function counts. */
export interface Turn {
  /** Ends the turn. How long it took says how many may be under way. */
  end(): void;
  /** Ends the turn of a request that was refused, which says nothing about time. */
  drop(): void;
}

/** What stands before the handler of one operation. */
export interface Gate {
  /**
   * Throws `overloaded` where `enter` would without waiting.
   */
  look(tenant: string): void | Promise<void>;
  /**
   * Gives a turn, at once where there is room. Otherwise the tenants wait for one in turn. Throws `overloaded` where the
   * wait would be too long or was, and once `signal` aborts. Each refusal comes a second late.
   */
  enter(tenant: string, signal: AbortSignal): Turn | Promise<Turn>;
  /** How many may be under way at once, as long as no dearer operation is short of room. */
  readonly limit: number;
  readonly underWay: number;
  readonly waiting: number;
}

/**
 * A client that does not obey `Retry-After` asks again as soon as it is refused. The pause bounds how often, because a
 * refusal costs processor time as well.
 */
const refusalPauseMs = 1_000;

export function createGate(options: {
  readonly rules: CostRules;
  /** True while a dearer operation is short of room. */
  readonly mustYield: () => boolean;
  readonly onShed: () => void;
}): Gate {
  const { rules, mustYield, onShed } = options;
  const latency = createLatencyLimit(rules);
  const queue = createFairGate({ slots });
  // The other half is for requests that come for the first time.
  const returnAfterMs = createReturnTimes({ perSecond: () => (1_000 * slots()) / latency.meanMs / 2 });
  const patience = createPatience(rules);
  const patienceMs = (now: number) => patience(queue.waiting, latency.meanMs, now);

  /** A tenant has no more requests wait than can be served while they do. */
  const isHopeless = (tenant: string, now: number): boolean =>
    queue.waiting > 0 && queue.waitingIn(tenant) >= (slots() * patienceMs(now)) / latency.meanMs;

  function slots(): number {
    // Most requests need not look at the other gates.
    const mayBeLimited = queue.taken >= rules.yieldedLimit && latency.limit > rules.yieldedLimit;
    return mayBeLimited && mustYield() ? rules.yieldedLimit : latency.limit;
  }

  async function refuseLater(): Promise<never> {
    onShed();
    const retryAfterMs = returnAfterMs(queue.waiting);
    await new Promise((resolve) => setTimeout(resolve, refusalPauseMs));
    throw new Problem('overloaded', { retryAfterMs });
  }

  const end = (beganAtMs: number) => {
    const now = performance.now();
    latency.see(now - beganAtMs, queue.taken, now);
    queue.leave();
  };
  const begin = () => beginTurn(end, queue.leave);

  return {
    look(tenant) {
      if (queue.waiting === 0 || !isHopeless(tenant, performance.now())) return undefined;
      return refuseLater();
    },
    enter(tenant, signal) {
      const now = performance.now();
      if (isHopeless(tenant, now)) return refuseLater();
      const entered = queue.enter(tenant, patienceMs(now), signal);
      if (entered === true) return begin();
      return entered.then((isAdmitted) => {
        if (isAdmitted) return begin();
        // Nobody reads the answer of a caller who is gone.
        if (signal.aborted) throw new Problem('overloaded');
        return refuseLater();
      });
    },
    get limit() {
      return latency.limit;
    },
    get underWay() {
      return queue.taken;
    },
    get waiting() {
      return queue.waiting;
    },
  };
}

function beginTurn(end: (beganAtMs: number) => void, leave: () => void): Turn {
  const beganAtMs = performance.now();
  let isOver = false;
  return {
    end() {
      if (isOver) return;
      isOver = true;
      end(beganAtMs);
    },
    drop() {
      if (isOver) return;
      isOver = true;
      leave();
    },
  };
}

/** A queue that was not empty for this long stands. */
const standsAfterMs = 500;
const shortestPatienceMs = 25;

/**
 * How long one waits: in a burst as long as the rules say, in a queue that stands no longer than a request takes.
 * Source: controlled delay as in Maurer, "Fail at Scale", ACM Queue 13(8), 2015.
 */
function createPatience(rules: CostRules): (waiting: number, meanMs: number, now: number) => number {
  let emptyAtMs = 0;
  return (waiting, meanMs, now) => {
    if (waiting === 0) emptyAtMs = now;
    if (now - emptyAtMs < standsAfterMs) return rules.patienceMs;
    return Math.min(Math.max(meanMs, shortestPatienceMs), rules.patienceMs);
  };
}
