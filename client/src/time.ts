interface Bounds {
  readonly signal?: AbortSignal | undefined;
  /** After so many milliseconds the work is late. */
  readonly limitMs: number;
  /** What late work rejects with. */
  readonly onLate: () => Error;
}

/**
 * Settles as `work` does, or rejects once the time is over or the caller's signal aborts, with the reason of that signal.
 * The signal that the work gets aborts then as well. Nothing stays on the caller's signal, which may live for months.
 */
export function within<T>({ signal, limitMs, onLate }: Bounds, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const stop = (reason: Error) => {
      reject(reason);
      controller.abort(reason);
    };
    const stopWithCaller = () => stop(signal?.reason as Error);
    const timer = setTimeout(() => stop(onLate()), limitMs);
    signal?.addEventListener('abort', stopWithCaller);
    void work(controller.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stopWithCaller);
      });
  });
}

/** Settles as `work` does, or rejects with the reason of the signal once that aborts. The work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Resolves after so many milliseconds. Rejects with the reason of the signal. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
  });
}
