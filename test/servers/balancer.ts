import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { readiness } from './program.ts';

interface Target {
  readonly url: string;
  readonly adminUrl: string;
  readonly isOver: () => boolean;
}

const probeEveryMs = 50;

/** Sends callers to the processes that say they are ready, as the balancer in front of a service does. */
export function createBalancer(targets: readonly Target[]) {
  const ready = new Set(targets.map(({ url }) => url));
  const stopping = new AbortController();

  async function watch({ url, adminUrl, isOver }: Target): Promise<void> {
    while (!stopping.signal.aborted && !isOver()) {
      const { status } = await readiness(adminUrl);
      if (status === 200) ready.add(url);
      else ready.delete(url);
      await sleep(probeEveryMs);
    }
    ready.delete(url);
  }
  for (const target of targets) void watch(target);

  return {
    add(target: Target): void {
      ready.add(target.url);
      void watch(target);
    },
    /** One of those that are ready, as soon as there is one. */
    async pick(random: Random): Promise<string> {
      const urls = await until(
        () => [...ready],
        ({ length }) => length > 0,
      );
      return random.shuffled(urls)[0] ?? '';
    },
    stop: (): void => stopping.abort(),
  };
}
