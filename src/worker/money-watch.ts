import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { MoneyReport } from '../definition/permanent-row.ts';

/**
 * Keeps the gauges of unresolved money. A question that fails leaves the last answer standing; the time of the last good
 * one is a gauge as well.
 */
export function watchMoney(options: {
  readonly processName: string;
  readonly report: () => Promise<MoneyReport>;
  readonly setMoney: (processName: string, report: MoneyReport) => void;
  readonly everyMs: number;
  readonly logger: Logger;
}): { stop(): Promise<void> } {
  const { processName, report, setMoney, everyMs, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        setMoney(processName, await report());
      } catch (error) {
        logger.debug({ err: error, process: processName }, 'money could not be counted');
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }
  const running = run();

  return {
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}
