import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate } from '../harness/adapter-calls.ts';
import { type GrantCall, type Grants, openGrants } from '../harness/grants.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let grants: Grants;

beforeAll(async () => {
  grants = await openGrants({ address: temporalAddress() });
});
afterAll(() => grants.close());

/** An adult's grant, begun by code without the step for adults, whose worker was stopped while the call ran. */
async function beginByOldCode(call: GrantCall) {
  const gate = createGate({ at: 'entry' });
  const oldWorker = await grants.startWorker({ workflowsPath: fixtureWorkflows('user-grants-before-adults') });
  const { taskQueue } = oldWorker;
  const grant = await grants.begin({ birthDate: '1990-05-31', taskQueue, calls: { [call]: gate.hold } });
  await gate.reached;
  const stopped = oldWorker.stop();
  gate.open();
  await stopped;
  expect((await grant.read()).status).toBe('RUNNING');
  return { grant, taskQueue };
}

describe.concurrent('a grant that old code began and new code finishes', () => {
  it('goes on without the step for adults where it had passed it', async () => {
    const { grant, taskQueue } = await beginByOldCode('grantDiscount');
    await grants.startWorker({ taskQueue });
    expect(await grant.result()).toMatchObject({ messages: ['welcome'], discounts: ['welcome'] });
    expect(await grant.effects()).toMatchObject({ messages: ['welcome'], discounts: [{ kind: 'welcome' }] });
  });

  it('takes the step for adults where it had not reached it', async () => {
    const { grant, taskQueue } = await beginByOldCode('sendMessage');
    await grants.startWorker({ taskQueue });
    expect(await grant.result()).toMatchObject({ messages: ['welcome', 'adult'], discounts: ['adult', 'welcome'] });
  });

  it('would never finish without the patch', async () => {
    const { grant, taskQueue } = await beginByOldCode('grantDiscount');
    await grants.startWorker({ taskQueue, workflowsPath: fixtureWorkflows('user-grants-unpatched') });
    await grant.hasHeard('EVENT_TYPE_WORKFLOW_TASK_FAILED');
    expect((await grant.read()).status).toBe('RUNNING');
    await grant.handle.terminate('the end of the test');
  });
});
