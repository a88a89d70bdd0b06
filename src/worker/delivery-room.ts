import { createFairGate } from '../timing/fair-gate.ts';

interface Limits {
  /** Attempts at once in all. The worker holds this limit. */
  readonly slots: number;
  /** Attempts at once to one receiver. */
  readonly perReceiver: number;
}

interface Asked {
  /** Tenants take turns at a receiver. */
  readonly tenant: string;
  readonly receiver: string;
  /** Who is slow where the attempt is. */
  readonly suspect: string;
  /** Ends a wait. */
  readonly signal?: AbortSignal | undefined;
}

interface Place {
  readonly suspect: string;
  readonly beganAtMs: number;
  /** Counts towards the half of the slow ones. */
  isSlow: boolean;
}

/** An attempt that takes longer is slow. No attempt waits longer for its receiver. */
const slowMs = 2_000;
/** For so long after a slow attempt a receiver is suspect. */
const suspectForMs = 60_000;
const maxSuspects = 10_000;

/**
 * Decides which attempts may begin. One receiver gets `perReceiver` places, for which tenants take turns. Those who are slow
 * now, or were a minute ago, get half of all slots at most, so that receivers that hang never take all of them.
 */
export function createDeliveryRoom({ slots, perReceiver }: Limits) {
  const turns = createTurns(perReceiver);
  const suspects = createSuspects();
  /** Attempts that are not slow yet, the oldest first. */
  const young = new Set<Place>();
  let slow = 0;

  /** Each place is looked at once, however many there are. */
  function noteSlow(nowMs: number): void {
    for (const place of young) {
      if (nowMs - place.beganAtMs <= slowMs) return;
      young.delete(place);
      suspects.add(place.suspect, nowMs);
      if (!place.isSlow) slow += 1;
      place.isSlow = true;
    }
  }

  return {
    /**
     * A place for one attempt, to be left at its end. Undefined where slow receivers have their half already, where the
     * receiver had no place for two seconds, or none at once for one that is slow, and where the signal aborted.
     */
    async enter({ tenant, receiver, suspect, signal }: Asked): Promise<{ leave(): void } | undefined> {
      const nowMs = performance.now();
      noteSlow(nowMs);
      const isSlow = suspects.has(suspect, nowMs);
      if (isSlow && slow >= slots / 2) return undefined;
      if (isSlow) slow += 1;
      // Those who would wait for a receiver that hangs would hold slots that others need.
      const turn = await turns.take(receiver, { tenant, patienceMs: isSlow ? 0 : slowMs, signal });
      if (turn === undefined) {
        if (isSlow) slow -= 1;
        return undefined;
      }
      const place = { suspect, beganAtMs: performance.now(), isSlow };
      young.add(place);
      return {
        leave() {
          const leftAtMs = performance.now();
          noteSlow(leftAtMs);
          const wasSlow = !young.delete(place);
          if (wasSlow) suspects.add(suspect, leftAtMs);
          if (place.isSlow) slow -= 1;
          turn.leave();
        },
      };
    },
  };
}

interface Wait extends Pick<Asked, 'tenant' | 'signal'> {
  readonly patienceMs: number;
}

/** The places of each receiver. One without users is forgotten. */
function createTurns(perReceiver: number) {
  const receivers = new Map<string, { readonly gate: ReturnType<typeof createFairGate>; users: number }>();
  return {
    async take(receiver: string, { tenant, patienceMs, signal }: Wait): Promise<{ leave(): void } | undefined> {
      const entry = receivers.get(receiver) ?? { gate: createFairGate({ slots: () => perReceiver }), users: 0 };
      receivers.set(receiver, entry);
      entry.users += 1;
      const forget = (): void => {
        entry.users -= 1;
        if (entry.users === 0) receivers.delete(receiver);
      };
      if (await entry.gate.enter(tenant, patienceMs, signal)) {
        return {
          leave() {
            entry.gate.leave();
            forget();
          },
        };
      }
      forget();
      return undefined;
    },
  };
}

/** Who was slow a minute ago or less; of very many those alone who were so last. */
function createSuspects() {
  const untilMs = new Map<string, number>();
  return {
    has(suspect: string, nowMs: number): boolean {
      if ((untilMs.get(suspect) ?? 0) > nowMs) return true;
      untilMs.delete(suspect);
      return false;
    },
    add(suspect: string, nowMs: number): void {
      untilMs.delete(suspect);
      untilMs.set(suspect, nowMs + suspectForMs);
      const [oldest] = untilMs.keys();
      if (untilMs.size > maxSuspects && oldest !== undefined) untilMs.delete(oldest);
    },
  };
}
