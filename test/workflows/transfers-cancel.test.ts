import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../src/problems.ts';
import { createGate, failFirst } from '../harness/adapter-calls.ts';
import { approver } from '../harness/instance-messages.ts';
import { beginStuck, retryOncePossible } from '../harness/stuck-returns.ts';
import {
  openTransfers,
  type Transfer,
  type TransferCall,
  type TransferCalls,
  type Transfers,
} from '../harness/transfers.ts';
import { waysToCancel } from '../harness/ways-to-cancel.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

/** Begins a transfer of which a method of the ledger is held at a gate. */
async function beginHeld(
  call: TransferCall,
  options: { at?: 'entry' | 'exit'; minor?: string; calls?: TransferCalls } = {},
) {
  const { at = 'entry', minor = '1250', calls = {} } = options;
  const gate = createGate({ at });
  const transfer = await transfers.begin({
    minor,
    balance: 5_000_000n,
    calls: { ...calls, [call]: gate.hold },
  });
  return { transfer, gate };
}

const untouched = { payer: 5_000_000n, payee: 0n };
const moved = { payer: 4_998_750n, payee: 1_250n };

describe.concurrent.each(waysToCancel)('a cancel by $way', ({ cancel }) => {
  it.each([
    { when: 'the row is being opened', method: 'openTransfer', at: 'entry' },
    { when: 'the money is about to be taken', method: 'withdraw', at: 'entry' },
    { when: 'the money was taken and the answer is under way', method: 'withdraw', at: 'exit' },
  ] as const)('ends cancelled with both accounts untouched while $when', async ({ method, at }) => {
    const { transfer, gate } = await beginHeld(method, { at });
    await gate.reached;
    const { answer } = await cancel(transfer);
    gate.open();
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(await transfer.balances()).toEqual(untouched);
    expect(transfer.callsOf('deposit')).toBe(0);
    expect(await transfer.read()).toMatchObject({ status: 'COMPLETED', outcome: 'cancelled' });
  });

  it('ends cancelled, in the permanent row as well, while the database is away before there is one', async () => {
    const transfer = await transfers.begin({ balance: 5_000_000n, calls: { openTransfer: failFirst(3) } });
    await transfer.retriesOf('openTransfer', 2);
    const { answer } = await cancel(transfer);
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(transfer.callsOf('endTransfer')).toBe(1);
  });

  it('ends cancelled while a second person is awaited, without touching the ledger', async () => {
    const transfer = await transfers.begin({ minor: '1000001', balance: 5_000_000n });
    await transfer.reaches('awaiting-approval');
    const { answer } = await cancel(transfer);
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    const result = await transfer.result();
    expect(result).toMatchObject({ outcome: 'cancelled' });
    // Temporal's own cancel names nobody.
    expect('by' in result ? result.by : undefined).toBe(answer === undefined ? undefined : approver.sub);
    expect(transfer.callsOf('withdraw') + transfer.callsOf('refund')).toBe(0);
  });

  it('ends cancelled while the approval is being recorded', async () => {
    const { transfer, gate } = await beginHeld('recordApproval', { minor: '1000001' });
    await transfer.reaches('awaiting-approval');
    await transfer.act('approve', {});
    await gate.reached;
    const { answer } = await cancel(transfer);
    gate.open();
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(transfer.callsOf('withdraw')).toBe(0);
  });

  it.each(['withdraw', 'deposit'] as const)('ends cancelled while %s waits for its database', async (method) => {
    const transfer = await transfers.begin({ balance: 5_000_000n, calls: { [method]: failFirst(Infinity) } });
    await transfer.retriesOf(method, 2);
    const { answer } = await cancel(transfer);
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('comes too late where the deposit lands', async () => {
    const { transfer, gate } = await beginHeld('deposit');
    await gate.reached;
    const { answer } = await cancel(transfer);
    await transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    // A cancel waits for what runs; it does not refund beside it.
    expect((await transfer.read()).step).toBe('depositing');
    gate.open();
    if (answer !== undefined) expect(await answer).toBe('too-late');
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(transfer.callsOf('refund')).toBe(0);
    expect(await transfer.balances()).toEqual(moved);
  });

  it('comes too late where the deposit had landed and its answer was lost', async () => {
    const gate = createGate({ at: 'exit' });
    const transfer = await transfers.begin({
      balance: 5_000_000n,
      calls: { deposit: async (proceed) => loseEveryAnswer(() => gate.hold(proceed, 1)) },
    });
    await gate.reached;
    const { answer } = await cancel(transfer);
    gate.open();
    if (answer !== undefined) expect(await answer).toBe('too-late');
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(transfer.callsOf('refund')).toBe(1);
    expect(await transfer.balances()).toEqual(moved);
  });
});

describe.concurrent('while the money is refunded', () => {
  async function beginRefund() {
    const gate = createGate({ at: 'entry' });
    const { transfer, gate: depositGate } = await beginHeld('deposit', { calls: { refund: gate.hold } });
    await depositGate.reached;
    await transfer.freeze('payee');
    depositGate.open();
    await gate.reached;
    return { transfer, gate };
  }

  async function expectRefunded(transfer: Transfer) {
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(transfer.callsOf('refund')).toBe(1);
    expect(await transfer.balances()).toEqual(untouched);
  }

  it('a cancel by the action is refused without a trace: it can change nothing, and the outcome is open', async () => {
    const { transfer, gate } = await beginRefund();
    expect(await transfer.answerOf('cancel', {})).toBe('action-not-allowed');
    gate.open();
    await expectRefunded(transfer);
    expect(await transfer.eventTypes()).not.toContain('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
  });

  it('a cancel by Temporal changes nothing', async () => {
    const { transfer, gate } = await beginRefund();
    await transfer.handle.cancel();
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    gate.open();
    await expectRefunded(transfer);
  });
});

describe.concurrent('the cancel action', () => {
  it('is answered only when it is known what it was good for', async () => {
    const { transfer, gate } = await beginHeld('withdraw');
    await gate.reached;
    const answer = transfer.answerOf('cancel', {});
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    const first = await Promise.race([answer, transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED')]);
    expect(first).toBeUndefined();
    gate.open();
    expect(await answer).toEqual({ accepted: true });
    await transfer.result();
  });

  it('may be repeated by others, and all of them are accepted', async () => {
    const { transfer, gate } = await beginHeld('withdraw');
    await gate.reached;
    const answers = [1, 2, 3].map(() => transfer.answerOf('cancel', {}));
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED', { times: 3 });
    await transfer.handle.cancel();
    gate.open();
    expect(await Promise.all(answers)).toEqual([1, 2, 3].map(() => ({ accepted: true })));
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(transfer.callsOf('refund')).toBe(1);
  });

  it('is refused once the outcome is decided', async () => {
    const { transfer, gate } = await beginHeld('endTransfer');
    await gate.reached;
    expect(await transfer.answerOf('cancel', {})).toBe('too-late');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('is refused without a trace in history where the transfer ends otherwise', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ balance: 10n, calls: { endTransfer: gate.hold } });
    await gate.reached;
    expect(await transfer.answerOf('cancel', {})).toBe('too-late');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'rejected' });
    expect(await transfer.eventTypes()).not.toContain('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
  });

  it('returns what an earlier run had taken', async () => {
    const taken = createGate({ at: 'exit' });
    const first = await transfers.begin({ balance: 5_000_000n, calls: { withdraw: taken.hold } });
    await taken.reached;
    await first.handle.terminate('terminated by a test');
    taken.open();
    const gate = createGate({ at: 'exit' });
    const again = await transfers.begin({ after: first, calls: { openTransfer: gate.hold } });
    await gate.reached;
    const answer = again.answerOf('cancel', {});
    await again.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    gate.open();
    expect(await answer).toEqual({ accepted: true });
    expect(await again.result()).toMatchObject({ outcome: 'cancelled' });
    expect(await again.balances()).toEqual(untouched);
  });

  it('is too late for a transfer that turns out to have ended before', async () => {
    const first = await transfers.begin();
    const result = await first.result();
    const gate = createGate({ at: 'entry' });
    const again = await transfers.begin({ after: first, calls: { openTransfer: gate.hold } });
    await gate.reached;
    const answer = again.answerOf('cancel', {});
    await again.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    gate.open();
    expect(await answer).toBe('too-late');
    expect(await again.result()).toEqual(result);
  });

  it('by Temporal changes nothing while the return of the money is stuck', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.handle.cancel();
    await transfer.retriesOf('refund', 1);
    expect(await transfer.read()).toMatchObject({ status: 'RUNNING', step: 'compensation-stuck' });
    await retryOncePossible(transfer);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
  });

  it('ends cancelled where the ledger would have refused the withdrawal anyway', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ balance: 10n, calls: { withdraw: gate.hold } });
    await gate.reached;
    const answer = transfer.answerOf('cancel', {});
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    gate.open();
    expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
  });
});

async function loseEveryAnswer(call: () => Promise<unknown>): Promise<never> {
  await call();
  throw new Problem('database-unavailable');
}
