import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { approver } from '../harness/instance-messages.ts';
import { beginStuck } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

const settlement = { how: 'settle', note: 'paid out in cash' };
const proposer = approver;
const second = { iss: 'https://issuer.test', sub: 'carol' };
/** Another person of the same name, elsewhere. */
const namesake = { iss: 'https://other.test', sub: approver.sub };
let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress(), settleApproval: 'second-person' });
});
afterAll(() => transfers.close());

async function beginProposed() {
  const transfer = await beginStuck(transfers);
  expect(await transfer.act('resolve', settlement, proposer)).toEqual({ accepted: true, awaits: 'confirmation' });
  await transfer.reaches('settlement-proposed');
  return transfer;
}

describe.concurrent('a settlement that needs two persons', () => {
  it('is booked once another person has confirmed it, and names both', async () => {
    const transfer = await beginProposed();
    expect(await transfer.clearing()).toBe(1_250n);
    expect(await transfer.handle.query('proposal')).toEqual({
      settlement: { note: settlement.note, settledBy: proposer },
    });
    expect(await transfer.answerOf('confirm', {}, second)).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({
      outcome: 'settled',
      note: settlement.note,
      settledBy: proposer.sub,
      confirmedBy: second.sub,
    });
    expect(await transfer.clearing()).toBe(0n);
    const [kept] = await transfers.query('select * from settlements where transfer_id = $1', [transfer.transferId]);
    expect(kept).toMatchObject({
      note: settlement.note,
      settled_by_iss: proposer.iss,
      settled_by_sub: proposer.sub,
      confirmed_by_iss: second.iss,
      confirmed_by_sub: second.sub,
    });
  });

  it('is not confirmed by whoever proposed it, but by a namesake of another issuer', async () => {
    const transfer = await beginProposed();
    expect(await transfer.answerOf('confirm', {}, proposer)).toBe('second-person-required');
    expect(await transfer.clearing()).toBe(1_250n);
    expect(await transfer.answerOf('confirm', {}, namesake)).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'settled', confirmedBy: namesake.sub });
  });

  it('is withdrawn by a retry', async () => {
    const transfer = await beginProposed();
    expect(await transfer.answerOf('resolve', { how: 'retry' })).toEqual({ accepted: true });
    await transfer.reaches('compensation-stuck');
    expect(await transfer.handle.query('proposal')).toEqual({});
    expect(await transfer.answerOf('confirm', {}, second)).toBe('action-not-allowed');
    await transfer.unfreeze('payer');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
  });

  it('is withdrawn once the payer can take the money', async () => {
    const transfer = await beginProposed();
    await transfer.unfreeze('payer');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
  });

  it('can be proposed anew, by another person and with another note', async () => {
    const transfer = await beginProposed();
    await transfer.act('resolve', { how: 'settle', note: 'sent by cheque' }, second);
    expect(await transfer.answerOf('confirm', {}, second)).toBe('second-person-required');
    await transfer.act('confirm', {}, proposer);
    expect(await transfer.result()).toMatchObject({ note: 'sent by cheque', settledBy: second.sub });
  });

  it('is not confirmed before it is proposed', async () => {
    const transfer = await beginStuck(transfers);
    expect(await transfer.answerOf('confirm', {}, second)).toBe('action-not-allowed');
    await transfer.unfreeze('payer');
    await transfer.result();
  });
});
