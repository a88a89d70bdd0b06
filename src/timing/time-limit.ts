/**
 * Settles as `work` does, or rejects with what `onLate` gives after `limitMs` milliseconds. The work itself goes on, and
 * a late failure of it is dropped: this is for work that cannot be aborted.
 */
export function withTimeLimit<T>(
  work: Promise<T>,
  limitMs: number,
  onLate: () => Error = () => new Error(`no answer within ${limitMs} ms`),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onLate()), limitMs);
    const settle = <Value>(end: (value: Value) => void) => {
      return (value: Value) => {
        clearTimeout(timer);
        end(value);
      };
    };
    work.then(settle(resolve), settle(reject));
  });
}

/**
 * Settles as `work` does, or rejects with the reason of `signal` once that aborts. The work itself goes on, and a late
 * failure of it is dropped.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
