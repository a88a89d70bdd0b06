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
