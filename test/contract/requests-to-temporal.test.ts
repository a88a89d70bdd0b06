import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitingTransfer } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { temporalRequests, underWay } from '../harness/temporal-requests.ts';

let portico: Portico;
beforeAll(async () => {
  portico = await startPortico();
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => portico.stop());

const transfer = (amount = '100') => ({
  transferId: unique('counted'),
  from: 'payer',
  to: 'payee',
  amount: { currency: 'EUR', minor: amount },
});
const waiting = { headers: { prefer: 'wait=20' } };

/** What Temporal was asked meanwhile: starts, reads of an instance, and looks at the end of its history. */
async function askedDuring(act: () => Promise<unknown>): Promise<number[]> {
  const before = await temporalRequests(portico.adminUrl);
  await act();
  const after = await temporalRequests(portico.adminUrl);
  const methods = ['StartWorkflowExecution', 'DescribeWorkflowExecution', 'GetWorkflowExecutionHistory'];
  return methods.map((method) => (after[method] ?? 0) - (before[method] ?? 0));
}

const start = (body: object, options: object = {}) => portico.post('/v1/transfers', body, options);

describe('a start asks Temporal', () => {
  it('once where it is fresh, a mismatch or a duplicate, twice for a duplicate with its result', async () => {
    const body = transfer();
    const large = transfer('2000000');
    expect(await askedDuring(() => start(large))).toEqual([1, 0, 0]);
    expect(await askedDuring(() => start({ ...large, to: 'payer', from: 'payee' }))).toEqual([1, 0, 0]);
    expect(await askedDuring(() => start(large))).toEqual([0, 1, 0]);
    expect((await start(body, waiting)).status).toBe(200);
    expect(await askedDuring(() => start(body))).toEqual([0, 1, 1]);
  });

  it('for nothing but its long poll where it waits for the end', async () => {
    const body = transfer();
    let ended: unknown;
    const asked = await askedDuring(async () => {
      const reply = await start(body, waiting);
      expect(reply.status).toBe(200);
      ended = reply.body;
    });
    expect(asked).toEqual([1, 0, 1]);
    const read = await portico.get(`/v1/transfers/${body.transferId}/result`);
    expect(ended).toEqual(read.body);
  });
});

it('a wait for a result asks Temporal for nothing after its long poll, and tells what a read tells', async () => {
  const id = await waitingTransfer(portico);
  const before = await temporalRequests(portico.adminUrl);
  const { answer } = await underWay(portico.adminUrl, () => portico.get(`/v1/transfers/${id}/result`, waiting));
  await portico.post(`/v1/transfers/${id}/cancel`, {}, { headers: { prefer: 'wait=0' } });
  const { status, body } = await answer;
  const after = await temporalRequests(portico.adminUrl);
  expect([status, body.outcome]).toEqual([200, 'cancelled']);
  // One read before the wait, and one for the answer to the action.
  expect((after['DescribeWorkflowExecution'] ?? 0) - (before['DescribeWorkflowExecution'] ?? 0)).toBe(2);
  expect(body).toEqual((await portico.get(`/v1/transfers/${id}/result`)).body);
});

it('two waits for one instance share a poll, and each is told the end', async () => {
  const id = await waitingTransfer(portico);
  const wait = () => portico.get(`/v1/transfers/${id}/result`, waiting);
  const { answer } = await underWay(portico.adminUrl, () => Promise.all([wait(), wait()]));
  await portico.post(`/v1/transfers/${id}/cancel`, {}, { headers: { prefer: 'wait=0' } });
  const [first, second] = await answer;
  expect(first.body.result).toMatchObject({ outcome: 'cancelled' });
  expect(second.body).toEqual(first.body);
});
