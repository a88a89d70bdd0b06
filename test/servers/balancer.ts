import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../harness/random.ts';
import { readiness } from './program.ts';

interface Target {
  readonly url: string;
  readonly adminUrl: string;
}

const probeEveryMs = 50;

/** Sends callers to the processes that say they are ready, as the balancer in front of a service does. */
export function createBalancer(targets: readonly Target[]) {
  const ready = new Set(targets.map(({ url }) => url));
  const stopping = new AbortController();

  async function watch({ url, adminUrl }: Target): Promise<void> {
    while (!stopping.signal.aborted) {
      const { status } = await readiness(adminUrl);
      if (status === 200) ready.add(url);
      else ready.delete(url);
      // Whoever was replaced does not come back at this address.
      if (status === 0) return;
      await sleep(probeEveryMs);
    }
  }
  for (const target of targets) void watch(target);

  return {
    add(target: Target): void {
      ready.add(target.url);
      void watch(target);
    },
    pick(chance: Chance): string {
      const [first, ...others] = ready;
      if (first === undefined) throw new Error('no process is ready');
      return chance.oneOf([first, ...others]);
    },
    stop: (): void => stopping.abort(),
  };
}
