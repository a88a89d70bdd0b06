import type { EndedRow, OutboxRow, RowEnd } from './outbox.ts';
import { outcomeOf, type PauseReason, relayProblem, unanswered } from './outcome.ts';
import type { ItemAnswer, ItemText, Send, Sent } from './sender.ts';
import type { Turn } from './traffic.ts';

export interface Delivery {
  readonly send: Send;
  readonly httpLimitMs: number;
  readonly longestMs: number;
  readonly maxStarts: number;
  /** When it aborts the requests under way end without an answer. */
  readonly aborting: AbortSignal;
}

/** What the sending of a batch says about the next. */
export type Result =
  | { readonly kind: 'answered' }
  /** Nothing was sent, or nothing new was learnt. */
  | { readonly kind: 'unsent' }
  | { readonly kind: 'failed'; readonly reason: string; readonly askedMs: number }
  | { readonly kind: 'pause'; readonly reason: PauseReason };

interface Delivered {
  readonly ended: readonly EndedRow[];
  readonly result: Result;
}

/** Far below what Portico takes as one request. */
const mostBytes = 262_144;

/** Sends rows that were claimed at `claimedAt`, and says what becomes of each. Never rejects. */
export async function deliver(
  rows: readonly OutboxRow[],
  turn: Turn,
  claimedAt: number,
  options: Delivery,
): Promise<Delivered> {
  const judged = rows.map((row) => ({ row, ...judge(row, options.maxStarts) }));
  const unsendable = judged.flatMap(({ row, end }) => (end === undefined ? [] : [{ row, end }]));
  const sendable = judged.flatMap(({ row, item }) => (item === undefined ? [] : [{ row, item }]));
  const fitting = sendable.filter(fitsIn(mostBytes));
  const left = sendable.slice(fitting.length).map(({ row }) => ({ row, end: released(turn) }));
  const sentRows = fitting.map(({ row }) => row);
  const limitMs = Math.floor(options.httpLimitMs - (performance.now() - claimedAt));
  // A process that stood still since its claim no longer has the lease for a request.
  if (sentRows.length === 0 || limitMs < options.httpLimitMs / 2) {
    const ended = sentRows.map((row) => ({ row, end: released(turn) }));
    return { ended: [...unsendable, ...left, ...ended], result: { kind: 'unsent' } };
  }
  const sent = await within(limitMs, options.aborting, (signal) =>
    options.send(
      fitting.map(({ item }) => item),
      signal,
    ),
  );
  const { ended, result } = judgeSent(sentRows, sent, turn, options);
  return { ended: [...unsendable, ...left, ...ended], result };
}

/** `work` with a signal that aborts after `limitMs` or with `aborting`, on which nothing stays: it may live for months. */
async function within<T>(
  limitMs: number,
  aborting: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(stop, limitMs);
  aborting.addEventListener('abort', stop);
  if (aborting.aborted) stop();
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    aborting.removeEventListener('abort', stop);
  }
}

function judgeSent(rows: readonly OutboxRow[], sent: Sent, turn: Turn, options: Delivery): Delivered {
  const all = (endFor: (row: OutboxRow) => RowEnd) => rows.map((row) => ({ row, end: endFor(row) }));
  switch (sent.kind) {
    case 'answers':
      return judgeAnswers(rows, sent, turn, options);
    case 'unanswered': {
      const waitMs = options.aborting.aborted ? { waitMs: 0 } : {};
      const ended = all((row) => ({ ...unanswered(row, options.longestMs), ...waitMs }));
      return { ended, result: { kind: 'failed', reason: sent.reason, askedMs: 0 } };
    }
    case 'tokenless': {
      const isOver = options.aborting.aborted;
      const result = isOver ? ({ kind: 'unsent' } as const) : ({ kind: 'pause', reason: 'no-token' } as const);
      return { ended: all(() => released(turn)), result };
    }
    case 'strange':
      return { ended: all(() => released(turn)), result: { kind: 'pause', reason: 'not-a-problem' } };
    case 'refused':
      return judgeRefusal(rows, sent, turn);
  }
}

function judgeAnswers(
  rows: readonly OutboxRow[],
  { answers }: Sent & { kind: 'answers' },
  turn: Turn,
  options: Delivery,
): Delivered {
  if (answers.length !== rows.length) {
    const ended = rows.map((row) => ({ row, end: released(turn) }));
    return { ended, result: { kind: 'pause', reason: 'not-a-problem' } };
  }
  const outcomes = rows.map((row, index) => outcomeOf(row, answers[index] ?? noAnswer, options.longestMs));
  const ended = outcomes.flatMap((outcome, index) => {
    const row = rows[index];
    if (row === undefined) return [];
    return [{ row, end: outcome.kind === 'end' ? outcome.end : released(turn, outcome.problem) }];
  });
  const pause = outcomes.find((outcome) => outcome.kind === 'pause');
  if (pause !== undefined) return { ended, result: { kind: 'pause', reason: pause.reason } };
  return { ended, result: resultOf(rows, answers, turn) };
}

/** Refusals that say nothing about their item: Portico, or what it needs, is away for all. */
const codesOfOutages: readonly unknown[] = [
  'overloaded',
  'orchestration-unavailable',
  'orchestration-timeout',
  'database-unavailable',
  'outcome-unknown',
];

/** Each refused row waits by itself. The others wait with it only where all were refused for an outage. */
function resultOf(rows: readonly OutboxRow[], answers: readonly ItemAnswer[], turn: Turn): Result {
  const problems = answers.map(({ body }) => Object(body) as Readonly<Record<string, unknown>>);
  if (!problems.every(({ code }) => codesOfOutages.includes(code))) return { kind: 'answered' };
  // Of rows that failed before, another failure is no news: they must not hold up those that have not.
  if (!turn.isProbe && rows.every(({ failures }) => failures > 0)) return { kind: 'unsent' };
  const asked = problems.map(({ retryAfterMs }) => (typeof retryAfterMs === 'number' ? retryAfterMs : 0));
  return { kind: 'failed', reason: String(problems[0]?.['code']), askedMs: Math.min(...asked) };
}

const noAnswer = { status: 0, body: undefined };

function judgeRefusal(rows: readonly OutboxRow[], sent: Sent & { kind: 'refused' }, turn: Turn): Delivered {
  const { status, problem } = sent;
  const all = (end: RowEnd) => rows.map((row) => ({ row, end }));
  if (status === 401) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'unauthorized' } };
  if (status === 403) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'forbidden' } };
  if (problem['retryable'] === true) {
    const askedMs = typeof problem['retryAfterMs'] === 'number' ? problem['retryAfterMs'] : 0;
    return { ended: all(released(turn)), result: { kind: 'failed', reason: String(problem['code']), askedMs } };
  }
  // Faults of items are answered item by item. Of the whole request only its size can be their fault.
  if (status !== 413) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'refused' } };
  if (rows.length === 1) return { ended: all({ kind: 'dead', problem }), result: { kind: 'answered' } };
  // So many failures have a row sent alone, and then judged.
  const ended = rows.map((row): EndedRow => {
    const failures = Math.max(row.failures, 2);
    return { row, end: { kind: 'again', waitMs: 0, failures, isSuspect: true, problem } };
  });
  return { ended, result: { kind: 'answered' } };
}

const released = ({ kind }: Turn, problem?: Readonly<Record<string, unknown>>): RowEnd => ({
  kind: 'released',
  isSuspect: kind === 'suspects',
  ...(problem === undefined ? {} : { problem }),
});

function judge(row: OutboxRow, maxStarts: number): { readonly end?: RowEnd; readonly item?: ItemText } {
  if (row.started > maxStarts) {
    const problem = relayProblem('never-finished', 'A relay began with the row several times and never came to an end');
    return { end: { kind: 'dead', problem } };
  }
  const { operation, instanceId, idempotencyKey, body } = row;
  const named = [
    ['operation', operation],
    ['id', instanceId],
    ['idempotencyKey', idempotencyKey],
  ].flatMap(([name, value]) => (value === null ? [] : [`"${name}":${JSON.stringify(value)}`]));
  return { item: `{${[...named, `"body":${body}`].join(',')}}` };
}

/** For a filter: keeps the first of a list until they are together longer than `most`, and always one. */
function fitsIn(most: number): (each: { readonly row: OutboxRow }, index: number) => boolean {
  let bytes = 0;
  return ({ row }, index) => {
    bytes += Buffer.byteLength(row.body) + 256;
    return index === 0 || bytes <= most;
  };
}
