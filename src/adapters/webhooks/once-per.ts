/** Of names that were asked for longer ago than this many others, nothing is known. */
const knownNames = 10_000;

/** Whether a name was not due within the last `periodMs` milliseconds. A name that is due is none for as long again. */
export function oncePer(periodMs: number): (name: string) => boolean {
  const dueAtMs = new Map<string, number>();
  return (name) => {
    const nowMs = performance.now();
    if (nowMs < (dueAtMs.get(name) ?? 0)) return false;
    dueAtMs.delete(name);
    dueAtMs.set(name, nowMs + periodMs);
    const [oldest] = dueAtMs.keys();
    if (dueAtMs.size > knownNames && oldest !== undefined) dueAtMs.delete(oldest);
    return true;
  };
}
