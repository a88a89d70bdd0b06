/** One tenant's open instances of one process, as last counted. */
interface Entry {
  counted: number;
  countedAtMs: number;
  /** Let in since the count began. */
  admitted: number;
  counting: Promise<void> | undefined;
  /** How many counts have begun, and the number of the last that succeeded. */
  begun: number;
  succeeded: number;
}

/** Room for one instance more. */
export interface OpenPlace {
  /** For a start that has created none after all. */
  giveBack(): void;
}

interface Asked {
  readonly process: string;
  readonly tenant: string;
  readonly limit: number;
}

const maxEntries = 1_000;
/** A count is good for so long where the tenant is far from its limit. */
const goodForMs = 60_000;
/** A refusal needs a count no older than this. */
const refusableForMs = 1_000;

/**
 * Limits open instances by tenant, without a question to Temporal for each start: what was counted last, with those let in
 * since. Nothing is known of a tenant before its first count, and what begins meanwhile is let in. A count that fails
 * leaves the last one standing.
 */
export function createOpenCounts({ count }: { count: (process: string, tenant: string) => Promise<number> }) {
  const entries = new Map<string, Entry>();

  function entryOf(key: string): Entry {
    const entry = entries.get(key) ?? {
      counted: 0,
      countedAtMs: -Infinity,
      admitted: 0,
      counting: undefined,
      begun: 0,
      succeeded: 0,
    };
    // The entry that was used longest ago goes first.
    entries.delete(key);
    entries.set(key, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    return entry;
  }

  function recount(entry: Entry, { process: name, tenant }: Asked): Promise<void> {
    entry.counting ??= (async () => {
      const before = entry.admitted;
      const number = (entry.begun += 1);
      try {
        entry.counted = await count(name, tenant);
        entry.countedAtMs = performance.now();
        entry.admitted -= before;
        entry.succeeded = number;
      } catch {
        // Temporal refuses counts above its ration: the next start asks again.
      } finally {
        entry.counting = undefined;
      }
    })();
    return entry.counting;
  }

  /** A place for one more, which counts at once; undefined where the tenant may have no more. */
  return async function admitOpen(asked: Asked): Promise<OpenPlace | undefined> {
    const entry = entryOf(`${asked.tenant}/${asked.process}`);
    const isFull = () => entry.counted + entry.admitted >= asked.limit;
    const ageMs = performance.now() - entry.countedAtMs;
    if (isFull() && ageMs > refusableForMs) await recount(entry, asked);
    else if (ageMs > goodForMs) void recount(entry, asked);
    if (isFull()) return undefined;
    entry.admitted += 1;
    const { begun } = entry;
    return {
      giveBack() {
        // A count that began later has taken the place out already.
        if (entry.succeeded <= begun) entry.admitted -= 1;
      },
    };
  };
}
