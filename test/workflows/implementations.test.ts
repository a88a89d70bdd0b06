import { afterAll, beforeAll, expect, it } from 'vitest';
import { implementationOf } from '../../src/definition/implementation.ts';
import { userGrantsTwoWays } from '../fixtures/two-ways-definition.ts';
import { createGate } from '../harness/adapter-calls.ts';
import { type Grants, openGrants } from '../harness/grants.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let grants: Grants;

beforeAll(async () => {
  grants = await openGrants({ address: temporalAddress() });
});
afterAll(() => grants.close());

it('runs two implementations of one contract side by side, chosen by the definition', async () => {
  const { taskQueue } = await grants.startWorker({ workflowsPath: fixtureWorkflows('user-grants-two-ways') });
  const gates = { en: createGate({ at: 'entry' }), de: createGate({ at: 'entry' }) };
  const beginIn = (locale: 'en' | 'de') => {
    const workflow = implementationOf(userGrantsTwoWays, { tenant: 't', key: 'k', input: { locale } });
    return grants.begin({ locale, workflow, taskQueue, calls: { grantDiscount: gates[locale].hold } });
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
