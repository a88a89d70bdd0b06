import type { EndedRow, OutboxRow, RowEnd } from './outbox.ts';
import { outcomeOf, type PauseReason, relayProblem, unanswered } from './outcome.ts';
import type { Item, Send, Sent } from './sender.ts';
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
  const signal = AbortSignal.any([AbortSignal.timeout(limitMs), options.aborting]);
  const sent = await options.send(
    fitting.map(({ item }) => item),
    signal,
  );
  const { ended, result } = judgeSent(sentRows, sent, turn, options);
  return { ended: [...unsendable, ...left, ...ended], result };
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
    case 'tokenless':
      return { ended: all(() => released(turn)), result: { kind: 'pause', reason: 'unauthorized' } };
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
  const waits = ended.map(({ end }) => end).filter((end) => end.kind === 'again');
  if (waits.length < ended.length) return { ended, result: { kind: 'answered' } };
  // Where nothing succeeds the fault is hardly the rows': the next ones wait as well, and are not tried one by one.
  const reason = String(waits[0]?.problem?.['code']);
  return { ended, result: { kind: 'failed', reason, askedMs: Math.min(...waits.map(({ waitMs }) => waitMs)) } };
}

const noAnswer = { status: 0, body: undefined };

/** Refusals of a whole request that one row may be to blame for. */
const ofContent = [400, 413, 422];

function judgeRefusal(rows: readonly OutboxRow[], sent: Sent & { kind: 'refused' }, turn: Turn): Delivered {
  const { status, problem } = sent;
  const all = (end: RowEnd) => rows.map((row) => ({ row, end }));
  if (status === 401) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'unauthorized' } };
  if (status === 403) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'forbidden' } };
  if (problem['retryable'] === true) {
    const askedMs = typeof problem['retryAfterMs'] === 'number' ? problem['retryAfterMs'] : 0;
    return { ended: all(released(turn)), result: { kind: 'failed', reason: String(problem['code']), askedMs } };
  }
  if (!ofContent.includes(status)) return { ended: all(released(turn)), result: { kind: 'pause', reason: 'refused' } };
  // One of them is to blame: each is sent alone, and then judged.
  const end: RowEnd = rows.length > 1 ? { kind: 'released', isSuspect: true } : { kind: 'dead', problem };
  return { ended: all(end), result: { kind: 'answered' } };
}

const released = ({ kind }: Turn, problem?: Readonly<Record<string, unknown>>): RowEnd => ({
  kind: 'released',
  isSuspect: kind === 'suspects',
  ...(problem === undefined ? {} : { problem }),
});

function judge(row: OutboxRow, maxStarts: number): { readonly end?: RowEnd; readonly item?: Item } {
  if (row.started > maxStarts) {
    const problem = relayProblem('never-finished', 'A relay began with the row several times and never came to an end');
    return { end: { kind: 'dead', problem } };
  }
  const body = bodyOf(row.body);
  if (body === undefined) {
    return {
      end: { kind: 'dead', problem: relayProblem('unreadable', 'The body has a number that no caller can send') },
    };
  }
  return {
    item: {
      operation: row.operation,
      ...(row.instanceId === null ? {} : { id: row.instanceId }),
      ...(row.idempotencyKey === null ? {} : { idempotencyKey: row.idempotencyKey }),
      body: body.value,
    },
  };
}

/** Numbers that JSON has and JavaScript has not would be sent as null. */
function bodyOf(text: string): { readonly value: unknown } | undefined {
  const strange: number[] = [];
  const value: unknown = JSON.parse(text, (_, member: unknown) => {
    if (typeof member === 'number' && !Number.isFinite(member)) strange.push(member);
    return member;
  });
  return strange.length === 0 ? { value } : undefined;
}

/** For a filter: keeps the first of a list until they are together longer than `most`, and always one. */
function fitsIn(most: number): (each: { readonly row: OutboxRow }, index: number) => boolean {
  let bytes = 0;
  return ({ row }, index) => {
    bytes += Buffer.byteLength(row.body) + 256;
    return index === 0 || bytes <= most;
  };
}
