import type { Logger } from './logger.ts';

/**
 * Keeps the gauge of open instances. Counts the processes one after the other, because Temporal rations such questions,
 * and again after half to one and a half times `everyMs`, so that replicas do not ask together. A count that fails leaves
 * the last one standing.
 */
export function watchOpenInstances(options: {
  readonly processes: readonly string[];
  readonly count: (processName: string) => Promise<number>;
  readonly set: (processName: string, count: number) => void;
  readonly everyMs: number;
  readonly logger: Logger;
}): { stop(): void } {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function countAll(): Promise<void> {
    for (const processName of options.processes) {
      try {
        options.set(processName, await options.count(processName));
      } catch (error) {
        options.logger.debug({ err: error, process: processName }, 'open instances could not be counted');
      }
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
