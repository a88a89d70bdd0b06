/**
 * A gate with slots. Who finds none free waits in a lane. A slot that comes free goes to the lanes in turn, and within a
 * lane to who came first, so that a long lane delays its own. `slots` is asked at each entry and each leave.
 */
export function createFairGate({ slots }: { readonly slots: () => number }) {
  const lanes = createLanes();
  let taken = 0;

  function admitNext(): void {
    while (lanes.size > 0 && taken < slots()) {
      const admit = lanes.takeNext();
      if (admit === undefined) return;
      taken += 1;
      admit();
    }
  }

  return {
    /** How many slots are taken. */
    get taken() {
      return taken;
    },
    /** How many wait, in all lanes. */
    get waiting() {
      return lanes.size;
    },
    waitingIn: lanes.sizeOf,

    /**
     * Resolves to true once the caller has a slot, which it gives back by `leave`, and to false after `patienceMs`
     * milliseconds without one, or when `signal` aborts. No caller overtakes who waits already.
     */
    enter(lane: string, patienceMs: number, signal?: AbortSignal): true | Promise<boolean> {
      if (lanes.size === 0 && taken < slots()) {
        taken += 1;
        return true;
      }
      if (signal?.aborted === true) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (isAdmitted: boolean) => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          resolve(isAdmitted);
        };
        const admit = () => settle(true);
        const giveUp = () => {
          lanes.remove(lane, admit);
          settle(false);
        };
        const timer = setTimeout(giveUp, patienceMs);
        signal?.addEventListener('abort', giveUp);
        lanes.add(lane, admit);
        // The slots may have become more since somebody left last.
        admitNext();
      });
    },

    /** Gives a slot back. */
    leave(): void {
      taken -= 1;
      admitNext();
    },
  };
}

type Admit = () => void;

/** Those who wait, by lane. A lane without waiters is forgotten. */
function createLanes() {
  /** The lane whose turn it is stands first. */
  const lanes = new Map<string, Set<Admit>>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    sizeOf: (lane: string): number => lanes.get(lane)?.size ?? 0,

    add(lane: string, admit: Admit): void {
      lanes.set(lane, (lanes.get(lane) ?? new Set()).add(admit));
      size += 1;
    },

    remove(lane: string, admit: Admit): void {
      const waiters = lanes.get(lane);
      if (waiters?.delete(admit) !== true) return;
      size -= 1;
      if (waiters.size === 0) lanes.delete(lane);
    },

    /** Takes the first of the lane whose turn it is. */
    takeNext(): Admit | undefined {
      const [turn] = lanes;
      if (turn === undefined) return undefined;
      const [lane, waiters] = turn;
      const [admit] = waiters;
      lanes.delete(lane);
      if (admit === undefined) return undefined;
      waiters.delete(admit);
      if (waiters.size > 0) lanes.set(lane, waiters);
      size -= 1;
      return admit;
    },
  };
}
