import { afterAll, beforeAll, expect, it } from 'vitest';
import { implementationOf } from '../../src/definition/implementation.ts';
import { userGrantsTwoWays } from '../fixtures/two-ways-definition.ts';
import { createGate } from '../harness/adapter-calls.ts';
import { type GrantBench, openGrantBench } from '../harness/grants.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let bench: GrantBench;

beforeAll(async () => {
  bench = await openGrantBench({ address: temporalAddress() });
});
afterAll(() => bench.close());

it('runs two implementations of one contract side by side, chosen by the definition', async () => {
  const { taskQueue } = await bench.startWorker({ workflowsPath: fixtureWorkflows('user-grants-two-ways') });
  const gates = { en: createGate({ at: 'entry' }), de: createGate({ at: 'entry' }) };
  const beginIn = (locale: 'en' | 'de') => {
    const workflow = implementationOf(userGrantsTwoWays, { tenant: 't', key: 'k', input: { locale } });
    const { interference } = gates[locale];
    return bench.begin({ locale, workflow, taskQueue, interference: { grantDiscount: interference } });
  };
  const [first, second] = [await beginIn('en'), await beginIn('de')];
  await Promise.all([gates.en.reached, gates.de.reached]);
  expect((await first.effects()).messages).toEqual(['welcome']);
  expect((await second.effects()).messages).toEqual([]);

  gates.en.open();
  gates.de.open();
  const contract = { outcome: 'completed', messages: ['welcome'], discounts: ['welcome'] };
  expect(await first.result()).toEqual({ ...contract, userId: first.userId });
  expect(await second.result()).toEqual({ ...contract, userId: second.userId });
});
