import { createFairGate } from '../../timing/fair-gate.ts';

interface Limits {
  /** Attempts at once in all. */
  readonly inAll: number;
  /** Attempts at once to one receiver. */
  readonly perReceiver: number;
}

interface Place {
  readonly tenant: string;
  /** Scheme, host and port. */
  readonly receiver: string;
  readonly signal: AbortSignal;
}

type Gate = ReturnType<typeof createFairGate>;

// The signal ends a wait. A timer of Node.js cannot be longer.
const untilAborted = 2_147_483_647;

/**
 * Bounds how many attempts are under way. One waits for its receiver first, and for room in all second, so that those who
 * wait for a receiver that hangs hold no room that others need. Tenants take turns for the room in all.
 */
export function roomOf({ inAll, perReceiver }: Limits) {
  const all = createFairGate({ slots: () => inAll });
  const receivers = new Map<string, { readonly gate: Gate; users: number }>();

  async function within<T>({ tenant, signal }: Place, gate: Gate, work: () => Promise<T>) {
    if (!(await gate.enter(tenant, untilAborted, signal))) return undefined;
    try {
      if (!(await all.enter(tenant, untilAborted, signal))) return undefined;
      try {
        return { result: await work() };
      } finally {
        all.leave();
      }
    } finally {
      gate.leave();
    }
  }

  /** Runs `work` once there is room. Undefined where the signal aborted before. */
  return async <T>(place: Place, work: () => Promise<T>): Promise<{ readonly result: T } | undefined> => {
    const entry = receivers.get(place.receiver) ?? { gate: createFairGate({ slots: () => perReceiver }), users: 0 };
    receivers.set(place.receiver, entry);
    entry.users += 1;
    try {
      return await within(place, entry.gate, work);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) receivers.delete(place.receiver);
    }
  };
}

export type Room = ReturnType<typeof roomOf>;
