/** One tenant's open instances of one process, as last counted. */
interface Entry {
  counted: number;
  countedAtMs: number;
  /** Let in since the count began. */
  admitted: number;
  counting: Promise<void> | undefined;
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
    const entry = entries.get(key) ?? { counted: 0, countedAtMs: -Infinity, admitted: 0, counting: undefined };
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
      try {
        entry.counted = await count(name, tenant);
        entry.countedAtMs = performance.now();
        entry.admitted -= before;
      } catch {
        // Temporal refuses counts above its ration: the next start asks again.
      } finally {
        entry.counting = undefined;
      }
    })();
    return entry.counting;
  }

  /** Whether the tenant may have one more. One that is let in counts at once. */
  return async function admitOpen(asked: Asked): Promise<boolean> {
    const entry = entryOf(`${asked.tenant}/${asked.process}`);
    const isFull = () => entry.counted + entry.admitted >= asked.limit;
    const ageMs = performance.now() - entry.countedAtMs;
    if (isFull() && ageMs > refusableForMs) await recount(entry, asked);
    else if (ageMs > goodForMs) void recount(entry, asked);
    if (isFull()) return false;
    entry.admitted += 1;
    return true;
  };
}
