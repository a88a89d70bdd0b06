import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate, failFirst, passThrough } from '../harness/adapter-calls.ts';
import { beginStuck, retryOncePossible } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfer, type Transfers } from '../harness/transfers.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

const { PENDING_ACTIVITY_STATE_SCHEDULED } = proto.temporal.api.enums.v1.PendingActivityState;

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

const returned = { payer: 5_000n, payee: 0n };

/** Resolves once the next attempt of the return is that one or a later one, and none is under way. */
const waitsForAttempt = (transfer: Transfer, attempt: number) =>
  until(
    async () => (await transfer.handle.describe()).raw.pendingActivities?.[0],
    (pending) => pending?.state === PENDING_ACTIVITY_STATE_SCHEDULED && (pending.attempt ?? 0) >= attempt,
  );

describe.concurrent('a return that cannot finish', () => {
  it('finishes by itself once the payer can take the money', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.unfreeze('payer');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await transfer.balances()).toEqual(returned);
  });

  it('keeps trying without adding to history', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.retriesOf('refund', 2);
    const before = (await transfer.eventTypes()).length;
    await transfer.retriesOf('refund', 2);
    expect((await transfer.eventTypes()).length).toBe(before);
    await transfer.unfreeze('payer');
    await transfer.result();
  });

  it('is tried again at once when an operator says so', async () => {
    const transfer = await beginStuck(transfers);
    // The eighth attempt by itself is more than ten seconds away.
    await waitsForAttempt(transfer, 8);
    await transfer.unfreeze('payer');
    expect(await transfer.act('resolve', { how: 'retry' })).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect((await transfer.eventTypes()).filter((type) => type === 'EVENT_TYPE_ACTIVITY_TASK_CANCELED')).toHaveLength(
      1,
    );
  });

  it('stays stuck, and open to the operator, where the retry is blocked as well', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.act('resolve', { how: 'retry' });
    await transfer.retriesOf('refund', 1);
    expect(await transfer.read()).toMatchObject({ status: 'RUNNING', step: 'compensation-stuck' });
    await retryOncePossible(transfer);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
  });

  it('can be settled by hand', async () => {
    const transfer = await beginStuck(transfers);
    expect(await transfer.act('resolve', { how: 'settle', note: 'paid out in cash' })).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({
      outcome: 'settled',
      note: 'paid out in cash',
      settledBy: expect.any(String),
    });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 0n });
    expect(await transfer.clearing()).toBe(0n);
  });

  it('is not settled where the money was returned first', async () => {
    const transfer = await beginStuck(transfers);
    const gate = createGate({ at: 'entry' });
    transfer.handleCall('refund', gate.hold);
    await gate.reached;
    await transfer.unfreeze('payer');
    const answer = transfer.answerOf('resolve', { how: 'settle', note: 'paid out in cash' });
    await transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    expect(await answer).toBe('too-late');
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual(returned);
    expect(transfer.callsOf('settle')).toBe(0);
  });

  it('follows one operator at a time', async () => {
    const transfer = await beginStuck(transfers);
    const gate = createGate({ at: 'entry' });
    transfer.handleCall('settle', gate.hold);
    const first = transfer.answerOf('resolve', { how: 'settle', note: 'first' });
    await gate.reached;
    expect(await transfer.answerOf('resolve', { how: 'settle', note: 'second' })).toBe('action-not-allowed');
    // A retry gives up a settlement only where that has not succeeded.
    expect(await transfer.answerOf('resolve', { how: 'retry' })).toEqual({ accepted: true });
    gate.open();
    expect(await first).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'settled', note: 'first' });
  });

  it('is settled although the database goes away meanwhile', async () => {
    const transfer = await beginStuck(transfers, { calls: { settle: failFirst(2) } });
    await transfer.act('resolve', { how: 'settle', note: 'paid out in cash' });
    expect(await transfer.result()).toMatchObject({ outcome: 'settled' });
  });
});

describe.concurrent('resolve', () => {
  it('is refused before the transfer is stuck', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ calls: { withdraw: gate.hold } });
    await gate.reached;
    expect(await transfer.answerOf('resolve', { how: 'retry' })).toBe('action-not-allowed');
    gate.open();
    await transfer.result();
  });

  it('is refused while only the database is away: the step stays compensating', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      calls: { deposit: gate.hold, refund: failFirst(Infinity) },
    });
    await gate.reached;
    await transfer.freeze('payee');
    gate.open();
    await transfer.retriesOf('refund', 3);
    expect((await transfer.read()).step).toBe('compensating');
    expect(await transfer.answerOf('resolve', { how: 'settle', note: 'no' })).toBe('action-not-allowed');
    transfer.handleCall('refund', passThrough);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual(returned);
  });
});
