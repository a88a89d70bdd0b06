import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breakBefore, createGate } from '../harness/adapter-calls.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { beginFrozen, beginStuck, retryOncePossible } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfer, type Transfers } from '../harness/transfers.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

const accepted = 'EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED';
const inCash = { how: 'settle', note: 'paid out in cash' };

/** A stuck transfer that was cancelled before it got stuck. */
async function beginCancelled(cancels: number) {
  const { transfer, getStuck } = await beginFrozen(transfers);
  const waiting = await cancelTimes(transfer, cancels);
  await getStuck();
  return { transfer, waiting };
}

/** A stuck transfer that has given up a deposit which may still land. The payer is frozen. */
async function beginStuckBeforeDeposit({ cancels = 0 }: { cancels?: number } = {}) {
  const late = createGate({ at: 'entry' });
  const giveUp = createGate({ at: 'entry' });
  const transfer = await transfers.begin({
    minor: '1250',
    balance: 5_000n,
    calls: {
      deposit: async (proceed) => {
        void late.hold(proceed, 1);
        return giveUp.hold(() => breakBefore(proceed, 1), 1);
      },
    },
  });
  await giveUp.reached;
  await transfer.freeze('payer');
  const waiting = await cancelTimes(transfer, cancels);
  giveUp.open();
  await transfer.reaches('compensation-stuck');
  return { transfer, waiting, late };
}

/** Cancels that many times. Resolves once all of them wait. */
async function cancelTimes(transfer: Transfer, times: number) {
  const answers = Array.from({ length: times }, () => transfer.answerOf('cancel', {}));
  await transfer.hasHeard(accepted, { times });
  return answers;
}

describe.concurrent('a cancel of a stuck transfer', () => {
  it('is refused without a trace, and the operator settles', async () => {
    const transfer = await beginStuck(transfers);
    // An attempt that begins or ends meanwhile would make the server keep the task that refuses the cancel.
    const refund = createGate({ at: 'entry' });
    transfer.handleCall('refund', refund.hold);
    await refund.reached;
    const before = (await transfer.eventTypes()).length;
    expect(await transfer.answerOf('cancel', {})).toBe('action-not-allowed');
    expect(await transfer.eventTypes()).toHaveLength(before);
    refund.open();
    await transfer.act('resolve', inCash);
    expect(await transfer.result()).toMatchObject({ outcome: 'settled' });
  });

  it('is refused where a deposit that was given up may still land', async () => {
    const { transfer, late } = await beginStuckBeforeDeposit();
    expect(await transfer.answerOf('cancel', {})).toBe('action-not-allowed');
    await retryOncePossible(transfer, async () => {
      late.open();
      await late.passed;
      await transfer.unfreeze('payer');
    });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
  });

  it('is refused two thousand times, and the operator can still resolve', async () => {
    const transfer = await beginStuck(transfers);
    const answers = await inParallel(8, Array.from({ length: 2_010 }), () => transfer.answerOf('cancel', {}));
    expect(new Set(answers)).toEqual(new Set(['action-not-allowed']));
    expect(await transfer.act('resolve', inCash)).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'settled' });
  });
});

describe.concurrent('cancels that wait when the transfer gets stuck', () => {
  it('are told that they came too late where an operator settles', async () => {
    const { transfer, waiting } = await beginCancelled(2);
    await expectUnanswered(transfer, waiting);
    await transfer.act('resolve', inCash);
    expect(await Promise.all(waiting)).toEqual(['too-late', 'too-late']);
    expect(await transfer.result()).toMatchObject({ outcome: 'settled' });
  });

  it('are told that they came too late where the deposit that was given up lands', async () => {
    const { transfer, waiting, late } = await beginStuckBeforeDeposit({ cancels: 1 });
    await expectUnanswered(transfer, waiting);
    await retryOncePossible(transfer, async () => {
      late.open();
      await late.passed;
      await transfer.unfreeze('payer');
    });
    expect(await Promise.all(waiting)).toEqual(['too-late']);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });

  it('are accepted once the money is back', async () => {
    const { transfer, waiting } = await beginCancelled(1);
    await expectUnanswered(transfer, waiting);
    await retryOncePossible(transfer);
    expect(await Promise.all(waiting)).toEqual([{ accepted: true }]);
    expect(await transfer.result()).toMatchObject({ outcome: 'cancelled' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
  });

  it('are few, so that operators are let through', async () => {
    const { transfer, getStuck } = await beginFrozen(transfers);
    const answers = Array.from({ length: 40 }, () => transfer.answerOf('cancel', {}));
    const refused: unknown[] = [];
    for (const answer of answers) void answer.then((given) => refused.push(given));
    await until(
      () => refused.length,
      (count) => count >= 36,
    );
    expect(new Set(refused)).toEqual(new Set(['action-not-allowed']));
    await getStuck();
    expect(await transfer.act('resolve', inCash)).toEqual({ accepted: true });
    expect((await Promise.all(answers)).filter((answer) => answer === 'too-late')).toHaveLength(4);
  });
});

/** Checks that none of them has been answered although the transfer has been stuck for a while. */
async function expectUnanswered(transfer: Transfer, answers: readonly Promise<unknown>[]): Promise<void> {
  await transfer.retriesOf('refund', 2);
  expect(await Promise.race([...answers, sleep(0, 'unanswered')])).toBe('unanswered');
  expect(await transfer.eventTypes()).not.toContain('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED');
}
