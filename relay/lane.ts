import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { deliver, type Delivery } from './deliver.ts';
import type { RelayMetrics } from './metrics.ts';
import type { EndedRow, Outbox, OutboxRow } from './outbox.ts';
import type { Kind, Traffic, Turn } from './traffic.ts';
import { reasonOf, type Wake } from './wake.ts';

export interface LaneOptions extends Delivery {
  readonly outbox: Outbox;
  readonly traffic: Traffic;
  readonly wake: Wake;
  readonly metrics: RelayMetrics;
  readonly log: Logger;
  readonly pollMs: number;
  readonly leaseMs: number;
  /** When it aborts nothing more is claimed. */
  readonly stopping: AbortSignal;
  readonly onDatabase: (error: unknown) => void;
}

const againMs = 500;

/** Claims, sends and ends rows of one kind, a batch at a time, until it is to stop. Never rejects. */
export async function runLane(kind: Kind, options: LaneOptions): Promise<void> {
  const { traffic, wake, stopping, pollMs } = options;
  while (!stopping.aborted) {
    const turn = traffic.ask(kind);
    if (typeof turn === 'number') {
      await sleep(turn, undefined, { signal: stopping }).catch(() => undefined);
      continue;
    }
    const signs = wake.signs();
    if (!(await handleNext(turn, options))) await wake.after(signs, pollMs, stopping);
  }
}

/** Whether there was something to do. */
async function handleNext(turn: Turn, options: LaneOptions): Promise<boolean> {
  const { traffic, log } = options;
  const claimedAt = performance.now();
  try {
    const rows = await claimed(turn, options);
    if (rows.length > 0) await handle(rows, turn, claimedAt, options);
    return rows.length > 0;
  } catch (error) {
    // A fault of the relay itself. The rows come back when their lease is over.
    traffic.unused(turn);
    log.error({ reason: reasonOf(error), lane: turn.kind }, 'the relay failed at a batch');
    return false;
  }
}

async function claimed(turn: Turn, { outbox, traffic, metrics, onDatabase }: LaneOptions): Promise<OutboxRow[]> {
  try {
    // A probe with a row that fails for a reason of its own would tell nothing. A pause ends with the row it began at.
    const fresh = turn.isProbe && traffic.paused() === undefined;
    const rows = await outbox.claim({ limit: turn.limit, suspects: turn.kind === 'suspects', fresh });
    onDatabase(undefined);
    metrics.takenOver(rows.filter(({ isTakenOver }) => isTakenOver).length);
    if (rows.length === 0) traffic.nothing(turn);
    return rows;
  } catch (error) {
    onDatabase(error);
    traffic.unused(turn);
    return [];
  }
}

async function handle(rows: readonly OutboxRow[], turn: Turn, claimedAt: number, options: LaneOptions): Promise<void> {
  const { traffic, metrics, log } = options;
  const { ended, result } = await deliver(rows, turn, claimedAt, options);
  switch (result.kind) {
    case 'answered':
      traffic.answered(turn);
      break;
    case 'unsent':
      traffic.unused(turn);
      break;
    case 'failed':
      traffic.failed(turn, result.askedMs);
      log.warn({ reason: result.reason, rows: rows.length, lane: turn.kind }, 'a batch failed, and is sent again');
      break;
    case 'pause':
      traffic.pause(turn, result.reason);
      break;
  }
  const kept = await end(ended, claimedAt, options);
  for (const { row, end: its } of ended) {
    if (!kept.has(row.id)) continue;
    metrics.ended(its.kind);
    if (its.kind === 'dead')
      log.error({ row: row.id, key: row.key, operation: row.operation, code: its.problem['code'] }, 'a row is dead');
  }
}

/** Tries until the lease is over. Then another may have the rows, and what is known of them here is worth nothing. */
async function end(ended: readonly EndedRow[], claimedAt: number, options: LaneOptions): Promise<ReadonlySet<string>> {
  const { outbox, metrics, log, leaseMs, aborting, onDatabase } = options;
  do {
    try {
      const kept = await outbox.end(ended);
      onDatabase(undefined);
      const lost = ended.length - kept.size;
      metrics.leaseLost(lost);
      if (lost > 0) log.warn({ rows: lost }, 'another relay has taken rows over, which may be sent twice');
      return kept;
    } catch (error) {
      onDatabase(error);
      log.warn({ reason: reasonOf(error), rows: ended.length }, 'cannot write what became of rows');
      await sleep(againMs);
    }
  } while (performance.now() - claimedAt < leaseMs && !aborting.aborted);
  metrics.leaseLost(ended.length);
  return new Set();
}
