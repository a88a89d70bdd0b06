import { describe, expect, it, onTestFinished } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import { watchOpenInstances } from '../../src/observability/open-instances.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { until } from '../harness/until.ts';

type Count = Parameters<typeof watchOpenInstances>[0]['count'];

function watch(count: Count, definitions = catalog) {
  const gauges = new Map<string, number>();
  const watching = watchOpenInstances({
    definitions,
    count,
    setOpen: (name, value) => gauges.set(name, value),
    setWaiting: (name, step, value) => gauges.set(`${name} ${step}`, value),
    everyMs: 1,
    logger: silentLogger,
  });
  onTestFinished(watching.stop);
  return { gauges, stop: watching.stop };
}

describe('the gauges of open instances', () => {
  it('tell of each process, and of each step at which it waits for others', async () => {
    const { gauges } = watch((_, step) => Promise.resolve(step === undefined ? 5 : 2));
    const wanted = { transfers: 5, 'transfers compensation-stuck': 2, 'delayed-tasks dead-letter': 2 };
    await until(
      () => Object.fromEntries(gauges),
      (told) => Object.entries(wanted).every(([name, value]) => told[name] === value),
    );
    expect([...gauges.keys()]).not.toContain('delayed-tasks waiting');
  });

  it('count one after the other, and versions of one process once in a round', async () => {
    const [first] = catalog;
    if (first === undefined) throw new Error('the catalog is empty');
    const asked: string[] = [];
    let underWay = 0;
    const count: Count = async (name, step) => {
      asked.push(step ?? name);
      underWay += 1;
      expect(underWay).toBe(1);
      await Promise.resolve();
      underWay -= 1;
      return 0;
    };
    const { stop } = watch(count, [first, { ...first, version: 2 }]);
    await until(
      () => asked,
      (names) => names.filter((name) => name === first.name).length > 1,
    );
    stop();
    const round = asked.slice(0, asked.indexOf(first.name, 1));
    expect(new Set(round).size).toBe(round.length);
  });

  it('keep what was counted last where Temporal refuses, and follow it once it does not', async () => {
    let answer: () => Promise<number> = () => Promise.resolve(3);
    const { gauges } = watch(() => answer());
    const told = () => gauges.get('delayed-tasks dead-letter');
    await until(told, (value) => value === 3);
    let refused = 0;
    answer = () => {
      refused += 1;
      return Promise.reject(new Error('too many questions'));
    };
    await until(
      () => refused,
      (count) => count > 20,
    );
    expect(told()).toBe(3);
    answer = () => Promise.resolve(0);
    await until(told, (value) => value === 0);
  });

  it('ask nothing more once they are stopped', async () => {
    let asked = 0;
    let stop = (): void => undefined;
    const watching = watch(() => {
      asked += 1;
      if (asked === 3) stop();
      return Promise.resolve(0);
    });
    ({ stop } = watching);
    await until(
      () => asked,
      (count) => count === 3,
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBe(3);
  });
});
