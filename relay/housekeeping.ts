import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { RelayMetrics } from './metrics.ts';
import type { RelayTuning } from './options.ts';
import type { Outbox } from './outbox.ts';
import { reasonOf } from './wake.ts';

const measureEveryMs = 15_000;
const removeEveryMs = 60_000;
/** Few at a time, with rests between, so that nobody waits for it. */
const removedAtOnce = 500;
const restMs = 200;

/** Measures the backlog and deletes what is old, until `signal` aborts. Never rejects. */
export async function runHousekeeping(
  options: RelayTuning & {
    readonly outbox: Outbox;
    readonly metrics: RelayMetrics;
    readonly log: Logger;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { outbox, metrics, log, signal } = options;
  let removedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    try {
      metrics.measured(await outbox.measure());
      const missed = await outbox.wakeMissed();
      if (missed > 0) log.info({ rows: missed }, 'rows wait no longer for one that is gone');
      if (performance.now() - removedAt >= removeEveryMs) {
        removedAt = performance.now();
        await removeOld(options);
      }
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'the outbox cannot be measured or cleaned up');
    }
    await sleep(measureEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function removeOld(options: Parameters<typeof runHousekeeping>[0]): Promise<void> {
  const { outbox, metrics, signal, keepDoneMs, keepDeadMs, deadLetters } = options;
  // A dead row that blocks its key must not go by itself.
  const kept = { done: keepDoneMs, dead: deadLetters === 'block' ? 0 : keepDeadMs };
  for (const status of ['done', 'dead'] as const) {
    const olderThanMs = kept[status];
    if (olderThanMs === 0) continue;
    let count = removedAtOnce;
    while (count === removedAtOnce && !signal.aborted) {
      count = await outbox.remove(status, { olderThanMs, limit: removedAtOnce });
      metrics.removed(count);
      if (count === removedAtOnce) await sleep(restMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
