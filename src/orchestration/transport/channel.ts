import type { Socket } from 'node:net';
import { createSessions } from './sessions.ts';
import { createWaiters, type Waiter } from './waiters.ts';

/** Between a connection that could not be made, or went at once, and the next one. */
const pauseMs = 200;
/** More than one is needed only where the peer bounds the requests of a connection. */
const maxSessions = 8;

export type Channel = ReturnType<typeof createChannel>;

/** The connections to one peer. They are made when they are needed, and made anew when they are lost. */
export function createChannel(connect: () => Socket) {
  const waiters = createWaiters();
  const setbacks = createSetbacks();
  let isClosed = false;

  const sessions = createSessions(connect, {
    onRoom() {
      waiters.serve(sessions.withRoom);
      if (waiters.count() > 0) openIfNeeded();
    },
    onGone({ reason, wasOfUse, isLeft }) {
      if (setbacks.isRepeated(wasOfUse)) fail(reason);
      else if (!isClosed && sessions.count() === 0 && (isLeft || waiters.count() > 0)) sessions.open();
    },
    onUnmade: fail,
  });

  function fail(reason: string): void {
    setbacks.add(reason);
    if (sessions.count() === 0) waiters.fail(reason);
  }

  /** Makes a connection where one can be made and none is under way. Says why where there is no hope of one. */
  function openIfNeeded(): string | undefined {
    if (isClosed) return 'the connection was closed';
    if (sessions.isMaking() || sessions.count() >= maxSessions) return undefined;
    const reason = setbacks.latest();
    if (reason === undefined) sessions.open();
    return sessions.count() === 0 ? reason : undefined;
  }

  return {
    /**
     * Gives a connection with room for a request, at once where there is one. Fails soon, but not at once, where none can be
     * made. Gives the function that ends the waiting.
     */
    acquire(waiter: Waiter): () => void {
      const session = sessions.withRoom();
      if (session !== undefined) {
        waiter.onSession(session);
        return () => undefined;
      }
      const failure = openIfNeeded();
      if (failure === undefined) return waiters.add(waiter);
      queueMicrotask(() => waiter.onFailure(failure));
      return () => undefined;
    },

    /** Whether there are connections, and none that takes a further request now. */
    isFull: (): boolean => sessions.isUp() && sessions.withRoom() === undefined,

    /**
     * Later requests use a new connection. Requests under way stay on the old one until they end. A connection that is
     * still being made is kept, and a second one replaces it if the second is ready first.
     */
    renew: (): void => {
      if (!isClosed) sessions.renew();
    },

    /** Requests under way end as broken. */
    close(): void {
      isClosed = true;
      sessions.close();
      waiters.fail('the connection was closed');
    },
  };
}

/** Connections that could not be made, or were of no use. */
function createSetbacks() {
  let last = { reason: '', atMs: -Infinity };
  let useless = 0;
  return {
    add(reason: string): void {
      last = { reason, atMs: performance.now() };
    },

    /** The reason of one so young that no other connection is to be made yet. */
    latest: (): string | undefined => (performance.now() - last.atMs < pauseMs ? last.reason : undefined),

    /** Counts a connection that is gone. One that goes at once is met by chance, a second in a row is not. */
    isRepeated(wasOfUse: boolean): boolean {
      useless = wasOfUse ? 0 : useless + 1;
      return useless > 1;
    },
  };
}
