/**
 * Settles as `work` does, or rejects with what `onLate` gives after `limitMs` milliseconds. The work itself goes on, and
 * a late failure of it is dropped: this is for work that cannot be aborted.
 */
export async function withTimeLimit<T>(
  work: Promise<T>,
  limitMs: number,
  onLate: () => Error = () => new Error(`no answer within ${limitMs} ms`),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(onLate()), limitMs);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
