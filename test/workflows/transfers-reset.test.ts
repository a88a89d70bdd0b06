import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate, failFirst, passThrough } from '../harness/adapter-calls.ts';
import { approver } from '../harness/instance-messages.ts';
import { retryOncePossible } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfer, type TransferCalls, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

const aboveLimit = { minor: '1000001', balance: 5_000_000n };
const untouched = { payer: 5_000_000n, payee: 0n };
const moved = { payer: 3_999_999n, payee: 1_000_001n };
let transfers: Transfers;
/** Of transfers that wait some seconds for their approval: far longer than this machine takes for one. */
let quicklyExpiring: Transfers;

beforeAll(async () => {
  const address = temporalAddress();
  transfers = await openTransfers({ address });
  const startedAt = performance.now();
  const { transfer, stalled } = await beginReset();
  const measuredMs = performance.now() - startedAt;
  await transfer.handle.terminate('measured');
  stalled.open();
  quicklyExpiring = await openTransfers({ address, approvalTimeoutMs: Math.ceil(5_000 + 10 * measuredMs) });
});
afterAll(() => Promise.all([transfers.close(), quicklyExpiring.close()]));

/** A reset transfer that waits for its approval again. Its earlier run was approved and took the money; the deposit stalls. */
async function beginReset({ on = transfers, calls = {} }: { on?: Transfers; calls?: TransferCalls } = {}) {
  const stalled = createGate({ at: 'entry' });
  const first = await on.begin({ ...aboveLimit, calls: { ...calls, deposit: stalled.hold } });
  await first.reaches('awaiting-approval');
  await first.act('approve', {});
  await stalled.reached;
  return { transfer: await terminateAndReset(first), stalled };
}

async function terminateAndReset(first: Transfer): Promise<Transfer> {
  await first.handle.terminate('terminated by a test');
  const transfer = await first.reset({ toTask: 2 });
  await transfer.reaches('awaiting-approval');
  return transfer;
}

/** What ends a transfer that waits for its approval. `answer` is what the caller learns, if there is one. */
const ends = [
  {
    end: 'a cancel',
    on: () => transfers,
    bringAbout: (transfer: Transfer) => transfer.answerOf('cancel', {}),
    answer: { returned: { accepted: true }, landed: 'too-late' },
    outcome: { outcome: 'cancelled' },
  },
  {
    end: 'a rejection',
    on: () => transfers,
    bringAbout: (transfer: Transfer) => transfer.answerOf('reject', { note: 'not this month' }),
    answer: { returned: { accepted: true }, landed: { accepted: true } },
    outcome: { outcome: 'compensated', reason: 'withdrawal-undone' },
  },
  {
    end: 'its expiry',
    on: () => quicklyExpiring,
    bringAbout: () => Promise.resolve(undefined),
    answer: { returned: undefined, landed: undefined },
    outcome: { outcome: 'compensated', reason: 'withdrawal-undone' },
  },
];

describe.concurrent.each(ends)('$end of a transfer that was reset', ({ on, bringAbout, answer, outcome }) => {
  it('returns the money that an earlier run had taken, and a late deposit moves nothing', async () => {
    const { transfer, stalled } = await beginReset({ on: on() });
    expect(await transfer.clearing()).toBe(1_000_001n);
    expect(await bringAbout(transfer)).toEqual(answer.returned);
    expect(await transfer.result()).toMatchObject(outcome);
    expect(await transfer.balances()).toEqual(untouched);
    stalled.open();
    await stalled.passed;
    expect(await transfer.balances()).toEqual(untouched);
    expect(await transfer.clearing()).toBe(0n);
    expect(await transfer.stepsOfHistory()).toEqual(['awaiting-approval', 'ending', 'compensating', 'ending']);
  });

  it('finds the deposit of an earlier run that has landed, and completes', async () => {
    const { transfer, stalled } = await beginReset({ on: on() });
    stalled.open();
    await stalled.passed;
    expect(await bringAbout(transfer)).toEqual(answer.landed);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
    expect(await transfer.clearing()).toBe(0n);
    expect(transfer.callsOf('refund')).toBe(0);
  });

  it('completes where the deposit of an earlier run lands just before the refund', async () => {
    const refund = createGate({ at: 'entry' });
    const { transfer, stalled } = await beginReset({ on: on(), calls: { refund: refund.hold } });
    const answered = bringAbout(transfer);
    await refund.reached;
    stalled.open();
    await stalled.passed;
    refund.open();
    expect(await answered).toEqual(answer.landed);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
    expect(await transfer.clearing()).toBe(0n);
  });
});

/** A decision that was accepted, while what follows from it could not be written yet. */
const decisions = [
  { action: 'reject', lacking: 'endTransfer', outcome: { outcome: 'rejected', reason: 'declined', by: approver.sub } },
  { action: 'approve', lacking: 'recordApproval', outcome: { outcome: 'completed' } },
] as const;

describe.concurrent('a transfer that was reset', () => {
  it.each(decisions)('hears an accepted $action again', async ({ action, lacking, outcome }) => {
    const first = await transfers.begin({ ...aboveLimit, calls: { [lacking]: failFirst(Infinity) } });
    await first.reaches('awaiting-approval');
    expect(await first.act(action, {})).toEqual({ accepted: true });
    await first.retriesOf(lacking, 1);
    await first.handle.terminate('terminated by a test');
    const transfer = await first.reset({ toTask: 1, dropsActions: false });
    transfer.handleCall(lacking, passThrough);
    expect(await transfer.result()).toMatchObject(outcome);
  });

  it('ends settled where an operator had settled it', async () => {
    const { transfer: stuck, stalled } = await beginStuckAgain();
    await stuck.act('resolve', { how: 'settle', note: 'paid out in cash' });
    await stuck.reaches('ending');
    const transfer = await terminateAndReset(stuck);
    transfer.handleCall('endTransfer', passThrough);
    expect(await transfer.answerOf('cancel', {})).toBe('too-late');
    expect(await transfer.result()).toMatchObject({
      outcome: 'settled',
      note: 'paid out in cash',
      settledBy: approver.sub,
    });
    stalled.open();
    expect(await transfer.balances()).toEqual({ ...untouched, payer: moved.payer });
    expect(await transfer.clearing()).toBe(0n);
  });

  it('tells a cancel that it is too late where the first end stands', async () => {
    const first = await transfers.begin(aboveLimit);
    await first.reaches('awaiting-approval');
    await first.act('approve', {});
    const result = await first.result();
    const transfer = await first.reset({ toTask: 2 });
    await transfer.reaches('awaiting-approval');
    expect(await transfer.answerOf('cancel', {})).toBe('too-late');
    expect(await transfer.result()).toEqual(result);
    expect(await transfer.balances()).toEqual(moved);
  });

  it('completes once it is approved again, and moves the money once', async () => {
    const { transfer, stalled } = await beginReset();
    transfer.handleCall('deposit', passThrough);
    await transfer.act('approve', {});
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    stalled.open();
    await stalled.passed;
    expect(await transfer.balances()).toEqual(moved);
    expect(await transfer.clearing()).toBe(0n);
  });

  it('waits for an operator where the money cannot go back', async () => {
    const { transfer, stalled } = await beginReset();
    await transfer.freeze('payer');
    await transfer.act('reject', {});
    await transfer.reaches('compensation-stuck');
    await retryOncePossible(transfer);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    stalled.open();
    await stalled.passed;
    expect(await transfer.balances()).toEqual(untouched);
  });
});

/** A transfer whose return is stuck, and whose end is not recorded: the database is away then. */
async function beginStuckAgain() {
  const stalled = createGate({ at: 'entry' });
  const calls = { deposit: stalled.hold, endTransfer: failFirst(Infinity) };
  const transfer = await transfers.begin({ ...aboveLimit, calls });
  await transfer.reaches('awaiting-approval');
  await transfer.act('approve', {});
  await stalled.reached;
  await transfer.freeze('payee');
  await transfer.freeze('payer');
  stalled.open();
  await transfer.reaches('compensation-stuck');
  return { transfer, stalled };
}
