import { retryUntilDone } from '../../timing/retry.ts';
import { openConnection, type RabbitConnection } from './rabbit-connection.ts';
import { reasonOf } from './rabbit-reasons.ts';
import { keepWaiters } from './waiters.ts';

const shortestPauseMs = 200;
const longestPauseMs = 10_000;
/** A connection that stood so long was a good one: the next pause is a short one. */
const steadyMs = 10_000;

/**
 * Keeps one connection to RabbitMQ, from the first `connect` or `connection` until `close`. Pauses between attempts double
 * up to ten seconds, and each is shortened at random by up to a half, so that processes do not come together.
 */
export function keepConnection(options: { readonly url: string; readonly onChange: (reason?: string) => void }) {
  const { url } = options;
  const closing = new AbortController();
  const waiters = keepWaiters();
  const state = createState(options.onChange);
  let running: Promise<unknown> | undefined;
  let failures = 0;
  /** Whether the next attempt is worth waiting for: the first one, and the one after a loss. */
  let isNear = true;

  /** One connection from its opening to its end, which is always a failure. */
  async function live(): Promise<void> {
    const connection = await openConnection(url, closing.signal).catch((error: unknown) => {
      failures += 1;
      isNear = false;
      state.become(undefined, reasonOf(error));
      waiters.wakeAll();
      throw error;
    });
    const openedAt = performance.now();
    state.become(connection, undefined);
    waiters.wakeAll();
    const end = await connection.ended;
    failures = performance.now() - openedAt < steadyMs ? failures + 1 : 0;
    isNear = true;
    state.become(undefined, reasonOf(end));
    throw end;
  }

  function connect(): void {
    running ??= retryUntilDone({
      work: live,
      everyMs: () => pauseMsAfter(failures),
      signal: closing.signal,
      onFailure: () => undefined,
    });
  }

  return {
    connect,
    check: state.check,

    /** The connection, or that of the attempt that is near. Undefined where there is none, or once `signal` aborts. */
    async connection(signal: AbortSignal): Promise<RabbitConnection | undefined> {
      connect();
      if (state.current() === undefined && isNear && !state.isClosing()) await waiters.wait(signal);
      return state.current();
    },

    async close(): Promise<void> {
      state.beginClosing();
      await state.current()?.close();
      closing.abort();
      waiters.wakeAll();
      await running;
    },
  };
}

const pauseMsAfter = (failures: number): number =>
  Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.max(0, failures - 1)) * (1 - Math.random() / 2);

/** The connection, or why there is none. Calls `onChange` with each that differs from the one before. */
function createState(onChange: (reason?: string) => void) {
  let connection: RabbitConnection | undefined;
  let failure: string | undefined = 'not yet';
  let isClosing = false;
  return {
    current: () => connection,
    isClosing: () => isClosing,
    beginClosing(): void {
      isClosing = true;
    },
    become(next: RabbitConnection | undefined, reason: string | undefined): void {
      connection = next;
      if (reason !== failure && !isClosing) onChange(reason);
      failure = reason;
    },
    check(): void {
      if (connection === undefined) throw new Error(`there is no connection to the broker: ${failure ?? 'lost'}`);
      if (connection.isBlocked()) throw new Error('the broker takes no messages: it lacks memory or disk space');
    },
  };
}
