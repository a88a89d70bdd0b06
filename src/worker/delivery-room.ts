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
/** For so long after a slow attempt a receiver is suspect, and after a fast one known to be fast. */
const rememberedMs = 60_000;
const maxRemembered = 10_000;

/**
 * Decides which attempts may begin. One receiver gets `perReceiver` places, for which tenants take turns. Those who are slow
 * now, or were a minute ago, get half of all slots at most, so that receivers that hang never take all of them. Once half of
 * the slots are taken, a tenant gets a quarter of them for receivers that were not fast within the last minute.
 */
export function createDeliveryRoom({ slots, perReceiver }: Limits) {
  const turns = createTurns(perReceiver);
  const suspects = createMemory();
  const fast = createMemory();
  const unproven = createShares(slots / 4);
  /** Attempts that hold a slot of the worker, also while they wait for their receiver. */
  let inside = 0;
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
     * receiver had no place for two seconds, or none at once for one that is slow, where the tenant has its share of
     * receivers that are not known to be fast, and where the signal aborted.
     */
    async enter({ tenant, receiver, suspect, signal }: Asked): Promise<{ leave(): void } | undefined> {
      const nowMs = performance.now();
      noteSlow(nowMs);
      const isSlow = suspects.has(suspect, nowMs);
      if (isSlow && slow >= slots / 2) return undefined;
      if (isSlow) slow += 1;
      inside += 1;
      const leaveSlot = (wasSlow: boolean): void => {
        if (wasSlow) slow -= 1;
        inside -= 1;
      };
      // Those who would wait for a receiver that hangs would hold slots that others need.
      const turn = await turns.take(receiver, { tenant, patienceMs: isSlow ? 0 : slowMs, signal });
      const isProven = !isSlow && fast.has(suspect, performance.now());
      const isCrowded = !isProven && inside > slots / 2 && unproven.isFull(tenant);
      if (turn === undefined || isCrowded) {
        turn?.leave();
        leaveSlot(isSlow);
        return undefined;
      }
      if (!isProven) unproven.add(tenant, 1);
      const place = { suspect, beganAtMs: performance.now(), isSlow };
      young.add(place);
      return {
        leave() {
          const leftAtMs = performance.now();
          noteSlow(leftAtMs);
          const wasSlow = !young.delete(place);
          (wasSlow ? suspects : fast).add(suspect, leftAtMs);
          if (!isProven) unproven.add(tenant, -1);
          leaveSlot(place.isSlow);
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

/** How much of something each tenant holds, of `most` for each. */
function createShares(most: number) {
  const held = new Map<string, number>();
  return {
    isFull: (tenant: string): boolean => (held.get(tenant) ?? 0) >= most,
    add(tenant: string, count: 1 | -1): void {
      const now = (held.get(tenant) ?? 0) + count;
      if (now === 0) held.delete(tenant);
      else held.set(tenant, now);
    },
  };
}

/** Who was noted a minute ago or less; of very many those alone who were noted last. */
function createMemory() {
  const untilMs = new Map<string, number>();
  return {
    has(who: string, nowMs: number): boolean {
      if ((untilMs.get(who) ?? 0) > nowMs) return true;
      untilMs.delete(who);
      return false;
    },
    add(who: string, nowMs: number): void {
      untilMs.delete(who);
      untilMs.set(who, nowMs + rememberedMs);
      const [oldest] = untilMs.keys();
      if (untilMs.size > maxRemembered && oldest !== undefined) untilMs.delete(oldest);
    },
  };
}
