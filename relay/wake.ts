import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { channelIn } from './outbox.ts';
import { serverLimits } from './server-limits.ts';

export type Wake = ReturnType<typeof createWake>;

/** Lets several wait for one sign. A sign that comes while nobody waits is not lost. */
export function createWake() {
  let signs = 0;
  const waiting = new Set<() => void>();
  return {
    signs: (): number => signs,
    sign(): void {
      signs += 1;
      for (const go of waiting) go();
    },
    /** Resolves at the next sign after `seen`, after `ms`, or when `signal` aborts. */
    after(seen: number, ms: number, signal: AbortSignal): Promise<void> {
      if (signs !== seen || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const go = () => {
          clearTimeout(timer);
          waiting.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        const timer = setTimeout(go, ms);
        waiting.add(go);
        signal.addEventListener('abort', go);
      });
    },
  };
}

const everyMs = 1_000;

/**
 * Signs when a row was written, over a connection of its own that is opened again whenever it is lost. Resolves when
 * `signal` aborts. Polling goes on beside it, so a lost sign costs one poll at most.
 */
export async function listen(options: {
  readonly url: string;
  readonly schema: string;
  readonly wake: Wake;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { url, schema, wake, log, signal } = options;
  let wasLost = false;
  while (!signal.aborted) {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: 'outbox-relay-listen',
      ...serverLimits,
    });
    let leave = (): void => undefined;
    const lost = new Promise<void>((resolve) => (leave = resolve));
    client.on('error', leave);
    client.on('end', leave);
    signal.addEventListener('abort', leave);
    client.on('notification', () => wake.sign());
    try {
      await client.connect();
      await client.query(`listen "${channelIn(schema).replaceAll('"', '""')}"`);
      if (wasLost) log.info('listens for new rows again');
      wasLost = false;
      // What was written while nobody listened.
      wake.sign();
      await lost;
    } catch (error) {
      if (!wasLost) log.warn({ reason: reasonOf(error) }, 'cannot listen for new rows, and polls');
      wasLost = true;
    }
    signal.removeEventListener('abort', leave);
    await client.end().catch(() => undefined);
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** What an error says, without what it holds. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error && typeof error.code === 'string' ? error.code : error.message) : 'unknown';
