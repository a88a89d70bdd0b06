import type { Socket } from 'node:net';
import { createSession, type Session } from './session.ts';

/** How long a connection may take to come up; a slow name server alone takes five seconds. */
const patienceMs = 20_000;
const momentMs = 200;

interface SessionsEvents {
  /** A connection has come up, or a request on one has ended. */
  readonly onRoom: () => void;
  /**
   * A connection that had come up takes no new requests. `isLeft`: those under way go on. `wasOfUse`: it has answered a
   * request, or stood for a moment.
   */
  readonly onGone: (gone: { readonly reason: string; readonly wasOfUse: boolean; readonly isLeft: boolean }) => void;
  /** A connection could not be made. */
  readonly onUnmade: (reason: string) => void;
}

/** Connections by what they are good for. */
export function createSessions(connect: () => Socket, { onRoom, onGone, onUnmade }: SessionsEvents) {
  const ready = new Set<Session>();
  /** With the time at which each was begun. */
  const making = new Map<Session, number>();
  /** Not used any more, but with requests under way. */
  const left = new Set<Session>();

  function open(): void {
    let readyAtMs = 0;
    const session = createSession(connect(), {
      onReady() {
        readyAtMs = performance.now();
        making.delete(session);
        ready.add(session);
        // The first that comes up is used: others that are still being made are not needed.
        for (const slower of [...making.keys()]) drop(slower);
        onRoom();
      },
      onDraining() {
        if (!ready.delete(session)) return;
        left.add(session);
        onGone({ reason: 'the peer takes no more requests', wasOfUse: wasOfUse(), isLeft: true });
      },
      onRoom,
      onClose(reason) {
        left.delete(session);
        if (ready.delete(session)) onGone({ reason, wasOfUse: wasOfUse(), isLeft: false });
        else if (making.delete(session) && making.size === 0) onUnmade(reason);
      },
    });
    const wasOfUse = () => session.hasAnswered() || performance.now() - readyAtMs >= momentMs;
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
    isUp: (): boolean => ready.size > 0,

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
