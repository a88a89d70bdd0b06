import { expect, it, onTestFinished } from 'vitest';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import { startPortico } from '../harness/portico.ts';

// By itself: no other test has its transfers expire while a slow machine is about to approve them.
it('a transfer expires when nobody decides in time, and moves nothing', async () => {
  const portico = await startPortico({ environment: { PORTICO_TRANSFERS_APPROVAL_TIMEOUT: '1s' } });
  onTestFinished(async () => {
    await portico.stop();
  });
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
  await portico.post('/v1/transfers', transferOf('late', aboveLimit));
  const { body } = await closed(portico, '/v1/transfers/late');
  expect(body.outcome).toBe('expired');
  const result = await portico.get('/v1/transfers/late/result');
  expect(result.body.result).toEqual({
    outcome: 'expired',
    transferId: 'late',
    amount: { currency: 'EUR', minor: aboveLimit.minor },
  });
  for (const id of ['payer', 'payee']) {
    expect((await portico.get(`/v1/accounts/${id}`)).body.balance.minor).toBe('100000000');
  }
  const late = await portico.post('/v1/transfers/late/approve', {}, { subject: 'bob' });
  expect([late.status, late.body.code]).toEqual([409, 'too-late']);
});
