interface Options {
  readonly periodMs: number;
  /** Names that are remembered. Of one that was asked for longer ago than so many others, nothing is known. */
  readonly names?: number;
  /** Milliseconds of a clock that never goes back; only tests have another. */
  readonly now?: () => number;
}

/** Tells of a name whether it is due: the first time, and once `periodMs` have gone by since it was due last. */
export function createOncePer({ periodMs, names = 10_000, now = () => performance.now() }: Options) {
  const dueAtMs = new Map<string, number>();
  return (name: string): boolean => {
    const nowMs = now();
    if (nowMs < (dueAtMs.get(name) ?? 0)) return false;
    dueAtMs.delete(name);
    dueAtMs.set(name, nowMs + periodMs);
    const [oldest] = dueAtMs.keys();
    if (dueAtMs.size > names && oldest !== undefined) dueAtMs.delete(oldest);
    return true;
  };
}
