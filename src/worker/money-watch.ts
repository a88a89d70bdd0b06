import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ProcessDefinition } from '../definition/definition.ts';
import type { MoneyReport } from '../definition/permanent-row.ts';
import type { Gateway } from '../orchestration/gateway.ts';

/**
 * Keeps the gauges of unresolved money and of instances that wait for others. A question that fails leaves the last
 * answer standing; the time of the last good one is a gauge as well.
 */
export function watchMoney(options: {
  readonly definition: ProcessDefinition;
  readonly report: () => Promise<MoneyReport>;
  readonly countAt: Gateway['countOpen'];
  readonly setMoney: (processName: string, report: MoneyReport) => void;
  readonly setWaiting: (processName: string, step: string, count: number) => void;
  readonly everyMs: number;
  readonly logger: Logger;
}): { stop(): Promise<void> } {
  const { definition, report, countAt, setMoney, setWaiting, everyMs, logger } = options;
  const { name } = definition;
  const stopping = new AbortController();
  const { signal } = stopping;
  const waits = Object.entries(definition.steps).flatMap(([step, { waitsFor }]) =>
    waitsFor === undefined ? [] : [step],
  );

  const attempt = (work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) => logger.debug({ err: error, process: name }, 'money could not be counted'));

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await attempt(async () => setMoney(name, await report()));
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function runCounts(): Promise<void> {
    while (!signal.aborted) {
      for (const step of waits) await attempt(async () => setWaiting(name, step, await countAt(name, step)));
      // Temporal rations such questions: they are asked half as often, and replicas do not ask together.
      await sleep(2 * everyMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }
  const running = Promise.all([run(), runCounts()]);

  return {
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}
