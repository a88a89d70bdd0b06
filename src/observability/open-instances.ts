import type { ProcessDefinition } from '../definition/definition.ts';
import type { Logger } from './logger.ts';

/**
 * Keeps the gauges of open instances, and of those at steps that wait for others. Counts one after the other, because
 * Temporal rations such questions, and again after half to one and a half times `everyMs`, so that replicas do not ask
 * together. A count that fails leaves the last one standing.
 */
export function watchOpenInstances(options: {
  readonly definitions: readonly Pick<ProcessDefinition, 'name' | 'steps'>[];
  readonly count: (processName: string, step?: string) => Promise<number>;
  readonly setOpen: (processName: string, count: number) => void;
  readonly setWaiting: (processName: string, step: string, count: number) => void;
  readonly everyMs: number;
  readonly logger: Logger;
}): { stop(): void } {
  const { count, setOpen, setWaiting, logger } = options;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function attempt(processName: string, work: () => Promise<void>): Promise<void> {
    if (isStopped) return;
    try {
      await work();
    } catch (error) {
      logger.debug({ err: error, process: processName }, 'open instances could not be counted');
    }
  }

  async function countAll(): Promise<void> {
    for (const [name, waits] of waitsByProcess(options.definitions)) {
      await attempt(name, async () => setOpen(name, await count(name)));
      for (const step of waits) await attempt(name, async () => setWaiting(name, step, await count(name, step)));
    }
    if (isStopped) return;
    timer = setTimeout(() => void countAll(), options.everyMs * (0.5 + Math.random()));
    timer.unref();
  }
  void countAll();

  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** The steps that wait for others, by process. Versions of one process are counted together. */
function waitsByProcess(definitions: readonly Pick<ProcessDefinition, 'name' | 'steps'>[]): Map<string, Set<string>> {
  const waits = new Map<string, Set<string>>();
  for (const { name, steps } of definitions) {
    const own = Object.entries(steps).filter(([, { waitsFor }]) => waitsFor !== undefined);
    waits.set(name, new Set([...(waits.get(name) ?? []), ...own.map(([step]) => step)]));
  }
  return waits;
}
