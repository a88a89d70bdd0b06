/** Those who wait for something to change. */
export function keepWaiters() {
  const wakes = new Set<() => void>();
  return {
    /** Resolves at the next `wakeAll`, or once `signal` aborts. */
    wait: (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        const wake = () => {
          wakes.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        wakes.add(wake);
        signal.addEventListener('abort', wake);
        if (signal.aborted) wake();
      }),

    wakeAll(): void {
      for (const wake of [...wakes]) wake();
    },
  };
}
