import type { Logger } from './logger.ts';

/**
 * Keeps the gauge of open instances: counts each process once in `everyMs`, one after the other, because Temporal
 * rations such questions. A count that fails leaves the last one standing.
 */
export function watchOpenInstances(options: {
  readonly processes: readonly string[];
  readonly count: (process: string) => Promise<number>;
  readonly set: (process: string, count: number) => void;
  readonly everyMs: number;
  readonly logger: Logger;
}): { stop(): void } {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function countAll(): Promise<void> {
    for (const process of options.processes) {
      try {
        options.set(process, await options.count(process));
      } catch (error) {
        options.logger.debug({ err: error, process }, 'open instances could not be counted');
      }
    }
    if (isStopped) return;
    timer = setTimeout(() => void countAll(), options.everyMs);
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
