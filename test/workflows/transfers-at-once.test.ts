import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  breakAfter,
  breakBefore,
  type CallHandling,
  createGate,
  failFirst,
  loseFirstAnswer,
  passThrough,
} from '../harness/adapter-calls.ts';
import { retryOncePossible } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfer, type Transfers } from '../harness/transfers.ts';
import { waysToCancel } from '../harness/ways-to-cancel.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress(), implementation: 'transfersAtOnce' });
});
afterAll(() => transfers.close());

const untouched = { payer: 5_000n, payee: 0n };
const moved = { payer: 3_750n, payee: 1_250n };
const begin = (transferAtOnce: CallHandling = passThrough, taskQueue?: string) =>
  transfers.begin({ minor: '1250', balance: 5_000n, taskQueue, calls: { transferAtOnce } });

/** The rest of the steps, in the calls of the ledger. */
const stepsOf = (transfer: Transfer): number[] =>
  (['openTransfer', 'withdraw', 'deposit', 'endTransfer'] as const).map((call) => transfer.callsOf(call));

describe.concurrent('a transfer at once', () => {
  it('is one activity and two tasks of its workflow, and publishes its outcome alone', async () => {
    const transfer = await begin();
    expect(await transfer.result()).toEqual({
      outcome: 'completed',
      transferId: transfer.transferId,
      amount: { currency: 'EUR', minor: '1250' },
    });
    expect(await transfer.balances()).toEqual(moved);
    expect(stepsOf(transfer)).toEqual([0, 0, 0, 0]);
    const types = await transfer.eventTypes();
    expect(types.filter((type) => type === 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED')).toHaveLength(2);
    expect(types).toHaveLength(12);
    expect(await transfer.stepsOfHistory()).toEqual([]);
  });

  it.each([
    { fault: 'its database is away twice', handling: failFirst(2), attempts: 3 },
    { fault: 'its first answer is lost', handling: loseFirstAnswer, attempts: 2 },
  ])('is repeated where $fault, and the money moves once', async ({ handling, attempts }) => {
    const transfer = await begin(handling);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
    expect(transfer.callsOf('transferAtOnce')).toBe(attempts);
    expect(stepsOf(transfer)).toEqual([0, 0, 0, 0]);
  });

  it.each([
    { defect: 'before its effect', handling: breakBefore, steps: [1, 1, 1, 1] },
    { defect: 'after its effect', handling: breakAfter, steps: [1, 0, 0, 0] },
  ])('is completed by steps where a defect stops it $defect', async ({ handling, steps }) => {
    const transfer = await begin(handling);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
    expect(stepsOf(transfer)).toEqual(steps);
    expect(await transfer.clearing()).toBe(0n);
  });

  it.each(['before the steps', 'after the steps'])(
    'moves the money once where a late attempt comes %s',
    async (when) => {
      const late = createGate({ at: 'entry' });
      const transfer = await begin(async (proceed) => {
        const attempt = late.hold(proceed, 1);
        if (when === 'before the steps') {
          late.open();
          await attempt;
        }
        return breakBefore(proceed, 1);
      });
      expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
      late.open();
      await late.passed;
      expect(await transfer.balances()).toEqual(moved);
      expect(await transfer.clearing()).toBe(0n);
    },
  );

  it('goes on with the next worker', async () => {
    const gate = createGate({ at: 'entry' });
    const first = await transfers.startWorker();
    const transfer = await begin(gate.hold, first.taskQueue);
    await gate.reached;
    const stopped = first.stop();
    gate.open();
    await stopped;
    expect((await transfer.read()).status).toBe('RUNNING');
    await transfers.startWorker(first.taskQueue);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(transfer.callsOf('transferAtOnce')).toBe(1);
  });

  it('is returned by steps, and waits for an operator, where neither account takes the money', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await begin(gate.hold);
    await gate.reached;
    await transfer.freeze('payee');
    const frozenLater = createGate({ at: 'exit' });
    transfer.handleCall('withdraw', frozenLater.hold);
    gate.open();
    await frozenLater.reached;
    await transfer.freeze('payer');
    frozenLater.open();
    await transfer.reaches('compensation-stuck');
    await retryOncePossible(transfer);
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('is done again by a reset where the ledger had lost it, and not where it had not', async () => {
    const first = await begin();
    await first.result();
    const again = await first.reset({ toTask: 1 });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
    expect(await again.balances()).toEqual(moved);
    await transfers.loseRows(first.transferId, 'everything');
    expect(await first.balances()).toEqual(untouched);
    const repeated = await again.latest().reset({ toTask: 1 });
    expect(await repeated.result()).toMatchObject({ outcome: 'completed' });
    expect(await repeated.balances()).toEqual(moved);
  });

  it('resumes a transfer by steps that was terminated with money in clearing', async () => {
    const taken = createGate({ at: 'exit' });
    const first = await transfers.begin({ minor: '1250', balance: 5_000n, calls: { withdraw: taken.hold } });
    await taken.reached;
    await first.handle.terminate('terminated by a test');
    taken.open();
    const again = await transfers.begin({ ...first.given, calls: { transferAtOnce: passThrough }, after: first });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
    expect(await again.balances()).toEqual(moved);
    expect(await again.clearing()).toBe(0n);
  });
});

describe.concurrent.each(waysToCancel)('a cancel by $way of a transfer at once', ({ cancel }) => {
  it('stops it while its database is away, and the caller is answered once that is certain', async () => {
    const transfer = await begin(failFirst(Infinity));
    await transfer.retriesOf('transferAtOnce', 2);
    const { answer } = await cancel(transfer);
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(stepsOf(transfer)).toEqual([1, 0, 0, 1]);
    expect(await transfer.balances()).toEqual(untouched);
  });

  it('is accepted where an account refuses, although the cancel came while that was tried', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await begin(gate.hold);
    await gate.reached;
    await transfer.freeze('payee');
    const { answer } = await cancel(transfer);
    gate.open();
    if (answer !== undefined) expect(await answer).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(transfer.callsOf('withdraw')).toBe(0);
    expect(await transfer.balances()).toEqual(untouched);
  });

  it.each(['entry', 'exit'] as const)('is too late where the money moves (held at its %s)', async (at) => {
    const gate = createGate({ at });
    const transfer = await begin(gate.hold);
    await gate.reached;
    const { answer } = await cancel(transfer);
    await transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    if (answer !== undefined) expect(await answer).toBe('too-late');
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
  });

  it('is too late where the money had moved and every answer is lost', async () => {
    const transfer = await begin(async (proceed) => {
      await proceed();
      return failFirst(Infinity)(proceed, 1);
    });
    await transfer.retriesOf('transferAtOnce', 2);
    const { answer } = await cancel(transfer);
    if (answer !== undefined) expect(await answer).toBe('too-late');
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
    expect(transfer.callsOf('refund')).toBe(0);
  });
});
