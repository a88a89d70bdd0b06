import type { Socket } from 'node:net';
import { createSession, type Session } from './session.ts';
import { createWaiters, type Waiter } from './waiters.ts';

/** How long a connection may take to come up; a slow name server alone takes five seconds. */
const patienceMs = 20_000;
/** Between a connection that could not be made and the next one. */
const pauseMs = 200;
/** More than one is needed only where the peer bounds the requests of a connection. */
const maxSessions = 8;

export type Channel = ReturnType<typeof createChannel>;

/** The connections to one peer. They are made when they are needed, and made anew when they are lost. */
export function createChannel(connect: () => Socket) {
  const waiters = createWaiters();
  let lastFailure = { reason: '', atMs: -Infinity };
  let isClosed = false;

  const sessions = createSessions(connect, {
    onRoom() {
      waiters.serve(sessions.withRoom);
      if (waiters.count() > 0) openIfNeeded();
    },
    onLeft: () => {
      if (!isClosed && sessions.count() === 0) sessions.open();
    },
    onLost: () => {
      if (!isClosed && waiters.count() > 0 && sessions.count() === 0) sessions.open();
    },
    onUnmade(reason) {
      lastFailure = { reason, atMs: performance.now() };
      if (sessions.count() === 0) waiters.fail(reason);
    },
  });

  /** Makes a connection where one can be made and none is under way. Says why where there is no hope of one. */
  function openIfNeeded(): string | undefined {
    if (isClosed) return 'the connection was closed';
    if (sessions.isMaking() || sessions.count() >= maxSessions) return undefined;
    const isTooSoon = performance.now() - lastFailure.atMs < pauseMs;
    if (isTooSoon) return sessions.count() === 0 ? lastFailure.reason : undefined;
    sessions.open();
    return undefined;
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

    /**
     * Later requests use a new connection. Requests under way stay on the old one until they end. A connection that is
     * still being made is kept, and a second one replaces it if the second is ready first.
     */
    renew(): void {
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

interface SessionsEvents {
  /** A connection has come up, or a request on one has ended. */
  readonly onRoom: () => void;
  /** A connection takes no new requests. */
  readonly onLeft: () => void;
  /** A connection is gone that had come up. */
  readonly onLost: () => void;
  /** A connection could not be made. */
  readonly onUnmade: (reason: string) => void;
}

/** Connections by what they are good for. */
function createSessions(connect: () => Socket, { onRoom, onLeft, onLost, onUnmade }: SessionsEvents) {
  const ready = new Set<Session>();
  /** With the time at which each was begun. */
  const making = new Map<Session, number>();
  /** Not used any more, but with requests under way. */
  const left = new Set<Session>();

  function open(): void {
    const session = createSession(connect(), {
      onReady() {
        making.delete(session);
        ready.add(session);
        // The first that comes up is used: others that are still being made are not needed.
        for (const slower of [...making.keys()]) drop(slower);
        onRoom();
      },
      onDraining() {
        if (!ready.delete(session)) return;
        left.add(session);
        onLeft();
      },
      onRoom,
      onClose(reason) {
        left.delete(session);
        if (ready.delete(session)) onLost();
        else if (making.delete(session) && making.size === 0) onUnmade(reason);
      },
    });
    making.set(session, performance.now());
  }

  function drop(session: Session): void {
    making.delete(session);
    session.close();
  }

  return {
    open,
    count: (): number => ready.size + making.size,
    isMaking: (): boolean => making.size > 0,

    withRoom(): Session | undefined {
      for (const session of ready) if (session.hasRoom()) return session;
      return undefined;
    },

    renew(): void {
      // The last one to be left makes the next.
      if (ready.size > 0) {
        [...ready].forEach((session) => session.drain());
        return;
      }
      const [[first, beganAtMs] = [], [second] = []] = making;
      const isHopeless = beganAtMs !== undefined && performance.now() - beganAtMs > patienceMs;
      const given = isHopeless ? first : second;
      open();
      if (given !== undefined) drop(given);
    },

    close(): void {
      for (const session of [...ready, ...making.keys(), ...left]) session.close();
    },
  };
}
