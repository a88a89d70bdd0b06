import { expect } from 'vitest';
import { eventually, unique, type Portico } from './portico.ts';

/**
 * Transfers of 1 each whose money cannot be returned: the payee was frozen all the time, the payer is so since the money
 * is on its way back. Both accounts are the test's own; the payer has at least 200 and is left frozen.
 */
export async function stuckTransfers(portico: Portico, { from, to }: { from: string; to: string }, atLeast: number) {
  const transferOf = () => ({ transferId: unique('stuck'), from, to, amount: { currency: 'EUR', minor: '1' } });
  const payer = `/v1/accounts/${from}`;
  const balance = async () => Number((await portico.get(payer)).body.balance.minor);
  const opening = await balance();
  for (let round = 0; round < 10; round += 1) {
    const transfers = Array.from({ length: 20 }, transferOf);
    const started = transfers.map((transfer) => portico.post('/v1/transfers', transfer));
    // As soon as money has left the payer, some of it will find the way back closed.
    await eventually(balance, (left) => left < opening);
    await portico.post(`${payer}/freeze`, undefined);
    await Promise.all(started);
    const stuck: typeof transfers = [];
    for (const transfer of transfers) {
      const { body } = await eventually(
        () => portico.get(`/v1/transfers/${transfer.transferId}`),
        (reply) => reply.body.status === 'closed' || reply.body.step === 'compensation-stuck',
      );
      if (body.status === 'running') stuck.push(transfer);
      else expect(['compensated', 'rejected']).toContain(body.outcome);
    }
    if (stuck.length >= atLeast) return stuck;
    // Too few: they are let go, and it is tried again.
    await portico.post(`${payer}/unfreeze`, undefined);
    for (const { transferId } of stuck) {
      await portico.post(`/v1/transfers/${transferId}/resolve`, { how: 'retry' });
      await portico.get(`/v1/transfers/${transferId}/result`, { headers: { prefer: 'wait=20' } });
    }
  }
  throw new Error('no money was on its way when its payer was frozen');
}
