import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problems } from '../../src/problem-table.ts';
import { breakBefore, createGate, failFirst, passThrough } from '../harness/adapter-calls.ts';
import { approver } from '../harness/instance-messages.ts';
import { beginStuck, retryOncePossible } from '../harness/stuck-returns.ts';
import { openTransfers, type TransferCall, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

const untouched = { payer: 5_000n, payee: 0n };
const ledgerLost = { outcome: 'compensated', reason: 'ledger-lost' };

/** A transfer that is held before a call, so that rows are lost meanwhile. */
async function heldBefore(call: TransferCall) {
  const gate = createGate({ at: 'entry' });
  const transfer = await transfers.begin({ minor: '1250', balance: 5_000n, calls: { [call]: gate.hold } });
  await gate.reached;
  return { transfer, gate };
}

const storedOutcomeOf = async (transferId: string) =>
  (await transfers.query<{ outcome: string }>('select outcome from transfers where transfer_id = $1', [transferId]))[0]
    ?.outcome;

describe.concurrent('a database that lost rows of a transfer', () => {
  it.each(['money', 'everything'] as const)('after its deposit (%s): the transfer ends, and says so', async (loss) => {
    const { transfer, gate } = await heldBefore('endTransfer');
    await transfers.loseRows(transfer.transferId, loss);
    gate.open();
    expect(await transfer.result()).toMatchObject(ledgerLost);
    expect(await transfer.balances()).toEqual(untouched);
    expect(await storedOutcomeOf(transfer.transferId)).toBe('compensated');
  });

  it('of the deposit alone: the money is returned', async () => {
    const { transfer, gate } = await heldBefore('endTransfer');
    await transfers.loseRows(transfer.transferId, 'delivery');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'withdrawal-undone' });
    expect(await transfer.balances()).toEqual(untouched);
    expect(await transfer.clearing()).toBe(0n);
  });

  it.each(['withdraw', 'deposit'] as const)(
    'before %s: the transfer ends, and a late attempt moves nothing',
    async (call) => {
      const { transfer, gate } = await heldBefore(call);
      await transfers.loseRows(transfer.transferId, 'everything');
      gate.open();
      expect(await transfer.result()).toMatchObject(ledgerLost);
      expect(await transfer.balances()).toEqual(untouched);
      expect(await storedOutcomeOf(transfer.transferId)).toBe('compensated');
    },
  );

  it('of the money before the deposit: the transfer ends', async () => {
    const { transfer, gate } = await heldBefore('deposit');
    await transfers.loseRows(transfer.transferId, 'money');
    gate.open();
    expect(await transfer.result()).toMatchObject(ledgerLost);
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('while it awaits approval: the row is written again, and the money moves once', async () => {
    const transfer = await transfers.begin({ minor: '1000001', balance: 5_000_000n });
    await transfer.reaches('awaiting-approval');
    await transfers.loseRows(transfer.transferId, 'everything');
    await transfer.act('approve', {});
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_999_999n, payee: 1_000_001n });
  });

  it('of a refused withdrawal: the transfer ends', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ minor: '1250', balance: 100n, calls: { endTransfer: gate.hold } });
    await gate.reached;
    await transfers.loseRows(transfer.transferId, 'money');
    gate.open();
    expect(await transfer.result()).toMatchObject(ledgerLost);
  });

  it('of a transfer that was cancelled: it ends cancelled', async () => {
    const transfer = await transfers.begin({ minor: '1000001', balance: 5_000_000n });
    await transfer.reaches('awaiting-approval');
    await transfers.loseRows(transfer.transferId, 'everything');
    expect(await transfer.answerOf('cancel', {})).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(await storedOutcomeOf(transfer.transferId)).toBe('cancelled');
  });

  it.each(['money', 'everything'] as const)('while its return is stuck (%s): it ends by itself', async (loss) => {
    const transfer = await beginStuck(transfers);
    await transfers.loseRows(transfer.transferId, loss);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual(untouched);
    expect(await storedOutcomeOf(transfer.transferId)).toBe('compensated');
  });

  it('before it is settled: nothing is settled, and it ends', async () => {
    const transfer = await beginStuck(transfers);
    const gate = createGate({ at: 'entry' });
    transfer.handleCall('settle', gate.hold);
    const answer = transfer.answerOf('resolve', { how: 'settle', note: 'paid out in cash' });
    await gate.reached;
    await transfers.loseRows(transfer.transferId, 'everything');
    gate.open();
    expect(await answer).toBe('action-not-allowed');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('after it was settled: the transfer does not end settled', async () => {
    const transfer = await beginStuck(transfers);
    const gate = createGate({ at: 'entry' });
    transfer.handleCall('endTransfer', gate.hold);
    await transfer.act('resolve', { how: 'settle', note: 'paid out in cash' });
    await gate.reached;
    await transfers.loseRows(transfer.transferId, 'money');
    gate.open();
    expect(await transfer.result()).toMatchObject(ledgerLost);
    expect(await transfer.balances()).toEqual(untouched);
  });
});

describe.concurrent('an operator who changes their mind', () => {
  it('returns the money where it could not be settled', async () => {
    const transfer = await beginStuck(transfers, { calls: { settle: breakBefore } });
    const settle = () => transfer.answerOf('resolve', { how: 'settle', note: 'no' }, approver, 'one-key');
    expect(await settle()).toBe('action-failed');
    transfer.handleCall('settle', passThrough);
    // What is kept for the key is final, so it must not ask for a repetition.
    expect(await settle()).toBe('action-failed');
    expect(problems['action-failed']).toMatchObject({ retryable: false, effect: 'unknown' });
    expect(await retryOncePossible(transfer)).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('returns the money while the settlement is still tried', async () => {
    const transfer = await beginStuck(transfers, { calls: { settle: failFirst(Infinity) } });
    const settling = transfer.answerOf('resolve', { how: 'settle', note: 'no' });
    await transfer.retriesOf('settle', 2);
    // No refund runs beside a settlement, so nothing returns the money before the operator's retry.
    await transfer.unfreeze('payer');
    expect(await transfer.answerOf('resolve', { how: 'retry' })).toEqual({ accepted: true });
    expect(await settling).toBe('action-failed');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('settles after all, once that can be done', async () => {
    const transfer = await beginStuck(transfers, { calls: { settle: breakBefore } });
    expect(await transfer.answerOf('resolve', { how: 'settle', note: 'first' })).toBe('action-failed');
    transfer.handleCall('settle', passThrough);
    expect(await transfer.answerOf('resolve', { how: 'settle', note: 'second' })).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'settled', note: 'second' });
  });
});

describe.concurrent('an outcome that cannot be recorded', () => {
  it('waits for an operator, and is recorded once that can be done', async () => {
    const transfer = await transfers.begin({ minor: '1250', balance: 5_000n, calls: { endTransfer: breakBefore } });
    await transfer.reaches('ending-stuck');
    expect(await transfer.answerOf('resolve', { how: 'settle', note: 'no' })).toBe('action-not-allowed');
    // Temporal repeats the ending as well, so its attempt is held until the operator is answered.
    const gate = createGate({ at: 'entry' });
    transfer.handleCall('endTransfer', gate.hold);
    await gate.reached;
    expect(await transfer.answerOf('resolve', { how: 'retry' })).toEqual({ accepted: true });
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await storedOutcomeOf(transfer.transferId)).toBe('completed');
  });
});
