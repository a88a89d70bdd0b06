import type { OutboxRow, RowEnd } from './outbox.ts';
import type { ItemAnswer } from './sender.ts';

/** What is kept of a good answer. */
export interface Answered {
  readonly status: number;
  readonly idempotencyStatus?: string;
  /** Of the instance, where the answer has one. */
  readonly id?: string;
}

/** What is kept of a refusal: the problem as Portico told it, or one of the relay's own with a `code` from `relay-`. */
export type Problem = Readonly<Record<string, unknown>>;

/** Why the relay sends nothing. */
export type PauseReason = 'no-token' | 'unauthorized' | 'forbidden' | 'not-a-problem' | 'refused';

/** What an answer means for its row: an end, or that the relay has to pause and the row was not judged. */
export type Outcome =
  | { readonly kind: 'end'; readonly end: RowEnd }
  | { readonly kind: 'pause'; readonly reason: PauseReason; readonly problem?: Problem };

/** How long a row waits that came behind a failed one of its instance, unless the answer says. */
const heldBackMs = 1_000;

/** Obeys the verdict of one item's answer. `longestMs` caps the relay's own waits, never what the answer asks for. */
export function outcomeOf(row: OutboxRow, answer: ItemAnswer, longestMs: number): Outcome {
  const { status, body } = answer;
  if (status >= 200 && status < 300) return { kind: 'end', end: { kind: 'done', answer: answeredOf(answer) } };
  if (!isProblem(body)) return { kind: 'pause', reason: status === 401 ? 'unauthorized' : 'not-a-problem' };
  if (status === 401) return { kind: 'pause', reason: 'unauthorized', problem: body };
  // Another person is missing, not a permission: no other token of the relay would do.
  if (status === 403 && body.code !== 'second-person-required')
    return { kind: 'pause', reason: 'forbidden', problem: body };
  if (!body.retryable) return { kind: 'end', end: { kind: 'dead', problem: body } };
  const askedMs = body.retryAfterMs ?? answer.retryAfterMs ?? 0;
  if (body.code === 'held-back') {
    // It was not tried: the failure is that of the row before.
    const waitMs = Math.max(askedMs, heldBackMs);
    return { kind: 'end', end: { kind: 'again', waitMs, failures: row.failures, isSuspect: false, problem: body } };
  }
  const failures = row.failures + 1;
  const waitMs = backoffMs({ failures, askedMs, longestMs });
  return { kind: 'end', end: { kind: 'again', waitMs, failures, isSuspect: false, problem: body } };
}

/** The end of a row that got no answer, so that its effect is unknown. After the second time it is sent alone. */
export function unanswered(row: OutboxRow, longestMs: number): RowEnd {
  const failures = row.failures + 1;
  return {
    kind: 'again',
    waitMs: backoffMs({ failures, askedMs: 0, longestMs }),
    failures,
    isSuspect: row.failures > 0,
  };
}

/** A dead row's problem where nobody but the relay has judged it. */
export const relayProblem = (code: string, title: string): Problem => ({
  title,
  code: `relay-${code}`,
  retryable: false,
  effect: 'unknown',
});

const firstMs = 1_000;

/** Doubles from a second, with up to half as much again at random. Never less than was asked for. */
export function backoffMs(options: {
  readonly failures: number;
  readonly askedMs: number;
  readonly longestMs: number;
  readonly shortestMs?: number;
}): number {
  const { failures, askedMs, longestMs, shortestMs = firstMs } = options;
  const ownMs = Math.min(shortestMs * 2 ** Math.min(failures - 1, 20), longestMs);
  return Math.round(Math.max(ownMs, askedMs) * (1 + Math.random() / 2));
}

interface VerdictBody extends Problem {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** Whether it is a problem of Portico: without a verdict nobody knows who answered. */
export function isProblem(body: unknown): body is VerdictBody {
  if (typeof body !== 'object' || body === null) return false;
  const { code, retryable, retryAfterMs } = body as Record<string, unknown>;
  const isMs = retryAfterMs === undefined || (typeof retryAfterMs === 'number' && retryAfterMs >= 0);
  return typeof code === 'string' && typeof retryable === 'boolean' && isMs;
}

function answeredOf({ status, idempotencyStatus, location, body }: ItemAnswer): Answered {
  // Whoever may start and not read is told the address alone.
  const id = typeof body === 'object' && body !== null && 'id' in body ? body.id : location?.split('/').at(-1);
  return {
    status,
    ...(idempotencyStatus === undefined ? {} : { idempotencyStatus }),
    ...(typeof id === 'string' ? { id } : {}),
  };
}
