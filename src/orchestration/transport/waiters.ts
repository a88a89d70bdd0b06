import type { Session } from './session.ts';

/** A request that needs a connection. One of the two is called, once. */
export interface Waiter {
  readonly onSession: (session: Session) => void;
  readonly onFailure: (reason: string) => void;
}

/** The requests that wait for a connection, or for room on one, in the order they came. */
export function createWaiters() {
  const waiters = new Set<Waiter>();
  return {
    count: (): number => waiters.size,

    /** Gives the function that ends the waiting. */
    add(waiter: Waiter): () => void {
      waiters.add(waiter);
      return () => void waiters.delete(waiter);
    },

    /** Lets as many go on as `find` gives a session for. */
    serve(find: () => Session | undefined): void {
      for (const waiter of waiters) {
        const session = find();
        if (session === undefined) return;
        waiters.delete(waiter);
        waiter.onSession(session);
      }
    },

    fail(reason: string): void {
      for (const waiter of [...waiters]) {
        waiters.delete(waiter);
        waiter.onFailure(reason);
      }
    },
  };
}
