import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate, passThrough } from '../harness/adapter-calls.ts';
import { approver, starter } from '../harness/instance-messages.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

const aboveLimit = { minor: '1000001' };
let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

async function beginWaiting(options: { requestedBy?: string } = {}) {
  const transfer = await transfers.begin({ ...aboveLimit, ...options });
  await transfer.reaches('awaiting-approval');
  return transfer;
}

describe.concurrent('a transfer above the limit', () => {
  it('is one that exceeds it: at the limit nobody is asked', async () => {
    const transfer = await transfers.begin({ minor: '1000000' });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.stepsOfHistory()).not.toContain('awaiting-approval');
  });

  it('moves no money before a second person approves it, and completes then', async () => {
    const transfer = await beginWaiting();
    expect(transfer.callsOf('withdraw')).toBe(0);
    expect(await transfer.act('approve', {})).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_999_999n, payee: 1_000_001n });
  });

  it('is rejected with the note and the subject of the person who declined it', async () => {
    const transfer = await beginWaiting();
    await transfer.act('reject', { note: 'not this month' });
    const declined = { outcome: 'rejected', reason: 'declined', note: 'not this month', by: approver.sub };
    expect(await transfer.result()).toMatchObject(declined);
    expect(transfer.callsOf('withdraw')).toBe(0);
  });

  it.each(['approve', 'reject'])('refuses %s by the one who started it', async (action) => {
    const transfer = await beginWaiting();
    expect(await transfer.answerOf(action, {}, starter)).toBe('second-person-required');
    expect((await transfer.read()).status).toBe('RUNNING');
  });

  it('takes the same subject of another issuer for another person', async () => {
    const transfer = await beginWaiting();
    await transfer.act('approve', {}, { iss: 'https://elsewhere.test', sub: starter.sub });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it.each(['approve', 'reject'])('refuses %s by the one it was asked for, whatever the issuer', async (action) => {
    const transfer = await beginWaiting({ requestedBy: 'carol' });
    const carol = { iss: 'https://elsewhere.test', sub: 'carol' };
    expect(await transfer.answerOf(action, {}, carol)).toBe('second-person-required');
    await transfer.act('approve', {});
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('refuses a second decision', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ ...aboveLimit, calls: { withdraw: gate.hold } });
    await transfer.reaches('awaiting-approval');
    await transfer.act('approve', {});
    await gate.reached;
    expect(await transfer.answerOf('reject', {})).toBe('action-not-allowed');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('takes one of two decisions that come at the same moment', async () => {
    const worker = await transfers.startWorker();
    const transfer = await transfers.begin({ ...aboveLimit, taskQueue: worker.taskQueue });
    await transfer.reaches('awaiting-approval');
    await worker.stop();
    // Without a worker both wait at the server, and reach the workflow in one task.
    const answers = [transfer.answerOf('approve', {}), transfer.answerOf('reject', {})];
    await transfers.startWorker(worker.taskQueue);
    const [approval, rejection] = await Promise.all(answers);
    const isApproved = approval !== 'action-not-allowed';
    expect([approval, rejection]).toEqual(
      isApproved ? [{ accepted: true }, 'action-not-allowed'] : ['action-not-allowed', { accepted: true }],
    );
    expect((await transfer.result()).outcome).toBe(isApproved ? 'completed' : 'rejected');
  });

  const opening = async (given: { minor?: string }) => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ ...given, calls: { openTransfer: gate.hold } });
    await gate.reached;
    return { transfer, gate };
  };

  it('judges decisions that come before it knows whether it asks for one, once it knows', async () => {
    const { transfer, gate } = await opening(aboveLimit);
    const answers = [transfer.answerOf('reject', {}, starter)];
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    answers.push(transfer.answerOf('approve', {}));
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED', { times: 2 });
    gate.open();
    expect(await Promise.all(answers)).toEqual(['second-person-required', { accepted: true }]);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('refuses a decision that came early where nobody is asked', async () => {
    const { transfer, gate } = await opening({});
    const answer = transfer.answerOf('reject', {});
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    gate.open();
    expect(await answer).toBe('action-not-allowed');
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('holds few decisions that come early, and refuses the others at once', async () => {
    const { transfer, gate } = await opening(aboveLimit);
    const early = Array.from({ length: 4 }, () => transfer.answerOf('reject', {}));
    await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED', { times: 4 });
    expect(await transfer.answerOf('approve', {})).toBe('action-not-allowed');
    gate.open();
    const answers = await Promise.all(early);
    expect(answers.filter((answer) => answer !== 'action-not-allowed')).toEqual([{ accepted: true }]);
    expect(await transfer.result()).toMatchObject({ outcome: 'rejected' });
  });

  it('applies a repeated approval once and answers it the same', async () => {
    const transfer = await beginWaiting();
    const first = await transfer.act('approve', {}, approver, 'approve.key-1');
    expect(await transfer.act('approve', {}, approver, 'approve.key-1')).toEqual(first);
    await transfer.result();
    expect(transfer.callsOf('recordApproval')).toBe(1);
  });

  it('is not asked for again by a run after the approval was recorded', async () => {
    const gate = createGate({ at: 'entry' });
    const first = await transfers.begin({ ...aboveLimit, calls: { withdraw: gate.hold } });
    await first.reaches('awaiting-approval');
    await first.act('approve', {});
    await gate.reached;
    await first.handle.terminate('terminated by a test');
    gate.open();
    const again = await transfers.begin({ ...first.given, after: first, calls: { withdraw: passThrough } });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
    expect(await again.stepsOfHistory()).toEqual(['withdrawing', 'depositing', 'ending']);
  });

  it('refuses the one who started it first, when another starts it again', async () => {
    const first = await beginWaiting();
    await first.handle.terminate('terminated by a test');
    const again = await transfers.begin({ ...first.given, after: first, startedBy: approver });
    await again.reaches('awaiting-approval');
    expect(await again.answerOf('approve', {}, starter)).toBe('second-person-required');
    expect(await again.answerOf('approve', {}, approver)).toBe('second-person-required');
    await again.act('approve', {}, { iss: approver.iss, sub: 'carol' });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
  });
});
