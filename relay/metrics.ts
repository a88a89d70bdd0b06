import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RowEnd } from './outbox.ts';
import type { PauseReason } from './outcome.ts';

export type RelayMetrics = ReturnType<typeof createMetrics>;

const reasons = [
  'no-token',
  'unauthorized',
  'forbidden',
  'not-a-problem',
  'refused',
] as const satisfies readonly PauseReason[];
const results = ['done', 'dead', 'again', 'released'] as const satisfies readonly RowEnd['kind'][];

/** The relay's metrics in a registry. Labels are closed lists. */
export function createMetrics(registry: Registry) {
  const registers = [registry];
  const sent = new Counter({
    name: 'relay_rows_total',
    help: 'Rows that were claimed, by what became of them: done, dead, again (to be sent later), released (not judged).',
    labelNames: ['result'],
    registers,
  });
  const requests = new Histogram({
    name: 'relay_request_seconds',
    help: 'How long requests to Portico took, with an answer or without.',
    labelNames: ['answered'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers,
  });
  const paused = new Gauge({
    name: 'relay_paused',
    help: '1 while the relay sends nothing but probes until somebody puts something right, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const backlog = gauge('relay_pending_rows', 'Rows of the outbox that wait or are being sent.');
  const oldest = gauge(
    'relay_oldest_pending_seconds',
    'The age of the oldest row that is not finished; 0 without one.',
  );
  const dead = gauge('relay_dead_rows', 'Rows that nobody sends again unless they are replayed.');
  const takeovers = counter('relay_lease_takeovers_total', 'Rows claimed whose last claim no relay had ended.');
  const lost = counter('relay_leases_lost_total', 'Rows whose end came too late: another relay may have sent them.');
  const removed = counter('relay_rows_removed_total', 'Finished rows that were deleted for their age.');
  for (const reason of reasons) paused.set({ reason }, 0);
  for (const result of results) sent.inc({ result }, 0);

  return {
    registry,
    ended: (result: RowEnd['kind']) => sent.inc({ result }),
    requested: (seconds: number, answered: boolean) => requests.observe({ answered: String(answered) }, seconds),
    takenOver: (rows: number) => takeovers.inc(rows),
    leaseLost: (rows: number) => lost.inc(rows),
    removed: (rows: number) => removed.inc(rows),
    measured(found: { pending: number; dead: number; oldestSeconds: number }): void {
      backlog.set(found.pending);
      dead.set(found.dead);
      oldest.set(found.oldestSeconds);
    },
    paused(current: PauseReason | undefined): void {
      for (const reason of reasons) paused.set({ reason }, reason === current ? 1 : 0);
    },
  };
}
