interface Place {
  readonly receiver: string;
  readonly enteredAtMs: number;
  /** The receiver was known to be slow. */
  readonly isSuspect: boolean;
}

/** An attempt that takes longer is slow. */
const slowMs = 2_000;
/** For so long after a slow attempt a receiver is suspect. */
const suspectForMs = 60_000;
const maxSuspects = 10_000;

/**
 * Keeps receivers that hang from taking all slots: those which are slow now, or were a minute ago, get half of them at
 * most. What nobody knows to be slow gets in while there is a slot.
 */
export function createDeliveryRoom({ slots }: { readonly slots: number }) {
  const places = new Set<Place>();
  /** Until when, by receiver. */
  const suspects = new Map<string, number>();

  function isSuspect(receiver: string, nowMs: number): boolean {
    if ((suspects.get(receiver) ?? 0) > nowMs) return true;
    suspects.delete(receiver);
    return [...places].some((place) => place.receiver === receiver && nowMs - place.enteredAtMs > slowMs);
  }

  function suspect(receiver: string, nowMs: number): void {
    suspects.delete(receiver);
    suspects.set(receiver, nowMs + suspectForMs);
    const [oldest] = suspects.keys();
    if (suspects.size > maxSuspects && oldest !== undefined) suspects.delete(oldest);
  }

  return {
    /** A place for one attempt, to be left at its end. Undefined where slow receivers have their half already. */
    enter(receiver: string): { leave(): void } | undefined {
      const nowMs = performance.now();
      const suspicious = isSuspect(receiver, nowMs);
      const slow = [...places].filter((place) => place.isSuspect || nowMs - place.enteredAtMs > slowMs).length;
      if (suspicious && slow >= slots / 2) return undefined;
      const place = { receiver, enteredAtMs: nowMs, isSuspect: suspicious };
      places.add(place);
      return {
        leave() {
          places.delete(place);
          const leftAtMs = performance.now();
          if (leftAtMs - nowMs > slowMs) suspect(receiver, leftAtMs);
          else suspects.delete(receiver);
        },
      };
    },
  };
}
