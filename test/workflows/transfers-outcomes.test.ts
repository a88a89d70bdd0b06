import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breakBefore, createGate, failFirst, passThrough } from '../harness/adapter-calls.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress(), approvalTimeoutMs: 300 });
});
afterAll(() => transfers.close());

describe.concurrent('a transfer', () => {
  it('moves the money and ends completed', async () => {
    const transfer = await transfers.begin({ minor: '1250', balance: 5_000n });
    expect(await transfer.result()).toEqual({
      outcome: 'completed',
      transferId: transfer.transferId,
      amount: { currency: 'EUR', minor: '1250' },
    });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
  });

  it('publishes its last step and its outcome, and reports the outcome to metrics once', async () => {
    const worker = await transfers.startWorker();
    const transfer = await transfers.begin({ taskQueue: worker.taskQueue });
    await transfer.result();
    const step = { transfers: 'ending', transfersAtOnce: 'opening' }[transfers.implementation];
    expect(await transfer.read()).toEqual({ status: 'COMPLETED', step, outcome: 'completed' });
    expect(worker.outcomes).toEqual(['completed']);
  });

  it('is rejected where the payer has too little, and moves nothing', async () => {
    const transfer = await transfers.begin({ minor: '1250', balance: 1_249n });
    expect(await transfer.result()).toMatchObject({ outcome: 'rejected', reason: 'insufficient-funds' });
    expect(await transfer.balances()).toEqual({ payer: 1_249n, payee: 0n });
    expect(transfer.callsOf('refund')).toBe(0);
  });

  it('is rejected where the payer is frozen', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ calls: { openTransfer: gate.hold } });
    await gate.reached;
    await transfer.freeze('payer');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'rejected', reason: 'account-frozen' });
  });

  it('is rejected where the payer is unknown', async () => {
    const transfer = await transfers.begin({ payer: 'nobody' });
    expect(await transfer.result()).toMatchObject({ outcome: 'rejected', reason: 'account-unknown' });
  });

  it('returns the money where the payee cannot take it, and ends compensated', async () => {
    const gate = createGate({ at: 'exit' });
    const transfer = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      calls: { withdraw: gate.hold },
    });
    await gate.reached;
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 0n });
    await transfer.freeze('payee');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
  });

  it('expires where nobody approves it in time', async () => {
    const transfer = await transfers.begin({ minor: '1000001' });
    expect(await transfer.result()).toMatchObject({ outcome: 'expired' });
    expect(transfer.callsOf('withdraw')).toBe(0);
  });
});

describe.concurrent('a transfer that Temporal has forgotten', () => {
  it('ends at once with its first result, without a posting', async () => {
    const first = await transfers.begin({ minor: '1250', balance: 5_000n });
    const result = await first.result();
    const again = await transfers.begin({ ...first.given, after: first });
    expect(await again.result()).toEqual(result);
    expect(await again.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
    expect(again.callsOf('withdraw')).toBeLessThanOrEqual(1);
    expect((await again.read()).outcome).toBe('completed');
  });

  it('asks for no approval again once it has expired', async () => {
    const first = await transfers.begin({ minor: '1000001' });
    await first.result();
    const again = await transfers.begin({ ...first.given, after: first });
    expect(await again.result()).toMatchObject({ outcome: 'expired' });
    expect(await again.stepsOfHistory()).toEqual([]);
  });

  it('ends in conflict where the payload is another, and leaves the first result alone', async () => {
    const first = await transfers.begin({ minor: '1250', balance: 5_000n });
    await first.result();
    const other = await transfers.begin({ ...first.given, after: first, minor: '1300' });
    expect(await other.result()).toMatchObject({ outcome: 'conflict', amount: { minor: '1300' } });
    expect(await other.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
    const again = await transfers.begin({ ...first.given, after: first });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
  });

  it('goes on where its first run was terminated', async () => {
    const gate = createGate({ at: 'exit' });
    const first = await transfers.begin({ minor: '1250', balance: 5_000n, calls: { withdraw: gate.hold } });
    await gate.reached;
    await first.handle.terminate('terminated by a test');
    gate.open();
    const again = await transfers.begin({ ...first.given, after: first });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
    expect(await again.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
  });

  it('moves nothing in its second run where the first returned the money', async () => {
    const first = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      calls: { withdraw: breakBefore, endTransfer: failFirst(Infinity) },
    });
    await first.reaches('ending');
    await first.handle.terminate('terminated by a test');
    const again = await transfers.begin({
      ...first.given,
      after: first,
      calls: { withdraw: passThrough, endTransfer: passThrough },
    });
    expect(await again.result()).toMatchObject({ outcome: 'compensated', reason: 'withdrawal-undone' });
    expect(await again.balances()).toEqual({ payer: 5_000n, payee: 0n });
  });
});
