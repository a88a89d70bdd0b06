import { setTimeout as sleep } from 'node:timers/promises';

export interface InterruptedOptions {
  /** Asks the server once. Never rejects. */
  readonly isInterrupted: () => Promise<boolean>;
  /** Puts another server on the same database in its place. */
  readonly replace: () => Promise<void>;
  /** Told where that failed. */
  readonly onFailure: (error: unknown) => void;
  readonly everyMs?: number;
}

const timesInARow = 3;

/**
 * Replaces a development server whose SQLite is interrupted. The server has one connection to it. A statement that is
 * cut at the wrong moment makes every later one fail with "interrupted", for ever. The server's health is SERVING all the
 * while. That was seen on machines short of processor time. The database itself is whole.
 */
export function watchInterrupted({ isInterrupted, replace, onFailure, everyMs = 2_000 }: InterruptedOptions) {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function watch(): Promise<void> {
    let times = 0;
    for (;;) {
      const isOver = await sleep(everyMs, false, { signal, ref: false }).catch(() => true);
      if (isOver) return;
      times = (await isInterrupted()) ? times + 1 : 0;
      if (times < timesInARow) continue;
      times = 0;
      await replace().catch(onFailure);
    }
  }
  const watching = watch();

  return {
    /** Resolves once nothing more is replaced. */
    async stop(): Promise<void> {
      stopping.abort();
      await watching;
    },
  };
}
