import { status as grpcCode } from '@grpc/grpc-js';
import { type Answer, type Failure, failureOf, frameMessage } from './answer.ts';
import { type Attempt, beginAttempt } from './attempt.ts';
import type { Channel } from './channel.ts';
import { encodeHeaders, type HeaderList } from './hpack.ts';

/** What one call asks for. */
export interface UnaryCall {
  /** `/{service}/{method}`. */
  readonly path: string;
  readonly message: Uint8Array;
  /** Milliseconds from now, for all attempts together. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface UnaryOptions {
  readonly channel: Channel;
  /** Headers of every request, beside those of gRPC. */
  readonly headers: HeaderList;
  readonly isRetryable: (failure: Failure) => boolean;
  /** Whether the server says with this failure that it did not do what this one attempt asked for. */
  readonly isRefusal: (failure: Failure) => boolean;
  /** Sees how each attempt ended, and how long it took. */
  readonly observe: (path: string, code: number, seconds: number) => void;
  /** Makes the error of a failed call. `isWithoutEffect`: no attempt of it can have had an effect. */
  readonly errorOf: (path: string, failure: Failure, isWithoutEffect: boolean) => Error;
}

export type UnaryCalls = ReturnType<typeof createUnaryCalls>;

const maxAttempts = 3;

/** Calls with one message each way. No call outlives its deadline or its signal, and each has three attempts at most. */
export function createUnaryCalls(options: UnaryOptions) {
  const headersFor = createHeaders(options.headers);
  /** What ends each call under way. */
  const running = new Set<() => void>();
  let isClosed = false;

  return {
    /** Gives the message of the answer. */
    call: (asked: UnaryCall): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const request = { headers: headersFor(asked.path), body: frameMessage(asked.message) };
        let shut = (): void => undefined;
        shut = run(options, { asked, ...request }, (answer, isWithoutEffect) => {
          running.delete(shut);
          if ('message' in answer) resolve(answer.message);
          else reject(options.errorOf(asked.path, answer, isWithoutEffect));
        });
        running.add(shut);
        if (isClosed) shut();
      }),

    /** Calls under way fail, and those to come. */
    close(): void {
      isClosed = true;
      for (const shut of [...running]) shut();
    },
  };
}

/** The headers of a path are the same for each of its calls, but for the deadline. */
function createHeaders(ours: HeaderList): (path: string) => Buffer {
  const known = new Map<string, Buffer>();
  return (path) => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const headers = encodeHeaders([
      [':method', 'POST'],
      [':path', path],
      ...ours,
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['grpc-accept-encoding', 'identity'],
    ]);
    known.set(path, headers);
    return headers;
  };
}

/** The last one: most calls are given as long as the call before. */
let knownTimeout: { readonly ms: number; readonly header: Buffer } = { ms: 0, header: Buffer.alloc(0) };

function timeoutHeader(ms: number): Buffer {
  if (knownTimeout.ms !== ms) knownTimeout = { ms, header: encodeHeaders([['grpc-timeout', `${ms}m`]]) };
  return knownTimeout.header;
}

interface Run {
  readonly asked: UnaryCall;
  readonly headers: Buffer;
  readonly body: Buffer;
}

/** Calls `onEnd` once, later. Gives the function that ends the call as one that the connection was closed on. */
function run(
  { channel, isRetryable, isRefusal, observe }: UnaryOptions,
  { asked, headers, body }: Run,
  onEnd: (answer: Answer, isWithoutEffect: boolean) => void,
): () => void {
  const { path, signal } = asked;
  const endsAtMs = performance.now() + asked.deadlineMs;
  const deadline = setTimeout(() => stop(grpcCode.DEADLINE_EXCEEDED, 'Deadline exceeded'), asked.deadlineMs);
  let pause: NodeJS.Timeout | undefined;
  let attempt: Attempt | undefined;
  let beganAtMs = 0;
  let count = 0;
  let isPerhapsDone = false;
  let isOver = false;

  function begin(): void {
    count += 1;
    beganAtMs = performance.now();
    const timeout = timeoutHeader(Math.max(1, Math.ceil(endsAtMs - beganAtMs)));
    attempt = beginAttempt(channel, { headers: [headers, timeout], body }, see);
  }

  function see(answer: Answer): void {
    if (isOver) return;
    const now = performance.now();
    observe(path, 'message' in answer ? grpcCode.OK : answer.code, (now - beganAtMs) / 1_000);
    if ('message' in answer) {
      finish(answer);
      return;
    }
    isPerhapsDone ||= answer.evidence === 'unknown' || (answer.evidence === 'told' && !isRefusal(answer));
    const delayMs = pauseAfter(answer, count);
    const isLast = count >= maxAttempts || now + delayMs >= endsAtMs;
    if (isLast || !isRetryable(answer)) {
      finish(answer);
      return;
    }
    attempt = undefined;
    pause = setTimeout(begin, delayMs);
  }

  /** Ends the call from outside. What was sent by then may have had an effect. */
  function stop(code: number, details: string): void {
    if (isOver) return;
    attempt?.cancel();
    if (attempt !== undefined) observe(path, code, (performance.now() - beganAtMs) / 1_000);
    isPerhapsDone ||= attempt?.isSent() ?? false;
    finish(failureOf(code, details, 'unknown'));
  }

  function finish(answer: Answer): void {
    isOver = true;
    clearTimeout(deadline);
    clearTimeout(pause);
    signal?.removeEventListener('abort', abort);
    onEnd(answer, !isPerhapsDone);
  }

  const abort = (): void => stop(grpcCode.CANCELLED, 'Cancelled by the caller');
  signal?.addEventListener('abort', abort);
  if (signal?.aborted === true) queueMicrotask(abort);
  else begin();
  return () => stop(grpcCode.UNAVAILABLE, 'The connection was closed');
}

/** In milliseconds. A request that the server left unread goes to another connection at once. */
const pauseAfter = ({ evidence }: Failure, attempt: number): number =>
  evidence === 'refused' ? 0 : 1.7 ** attempt * 100 * (0.8 + 0.4 * Math.random());
