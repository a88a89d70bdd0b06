import type { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginStuck } from '../harness/stuck-returns.ts';
import { openTransfers, type Transfer, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

type Scheduled = temporal.api.history.v1.IActivityTaskScheduledEventAttributes;

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

/** What the server was told of each activity of an ended transfer, in their order. */
async function scheduledBy(transfer: Transfer): Promise<Scheduled[]> {
  await transfer.result();
  const { events } = await transfer.handle.fetchHistory();
  return (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes ?? []);
}

const secondsOf = (duration: Scheduled['startToCloseTimeout']): number =>
  Number(duration?.seconds ?? 0) + (duration?.nanos ?? 0) / 1e9;

/** The limits of an activity in seconds; 0 is none. */
const limitsOf = ({ retryPolicy, ...activity }: Scheduled) => ({
  name: activity.activityType?.name,
  startToClose: secondsOf(activity.startToCloseTimeout),
  scheduleToClose: secondsOf(activity.scheduleToCloseTimeout),
  scheduleToStart: secondsOf(activity.scheduleToStartTimeout),
  maximumAttempts: retryPolicy?.maximumAttempts,
  maximumInterval: secondsOf(retryPolicy?.maximumInterval),
  gives: retryPolicy?.nonRetryableErrorTypes?.join() ?? '',
});

/** An attempt has ten seconds. How many attempts there are, and for how long in all, has no limit. */
const insisting = {
  startToClose: 10,
  scheduleToClose: 0,
  scheduleToStart: 0,
  maximumAttempts: 0,
  maximumInterval: 30,
  gives: '',
};
const cautious = { ...insisting, gives: 'unexpected,blocked' };

/** A first step that is given up is followed by one that is not. */
const first = () =>
  transfers.implementation === 'transfers'
    ? { name: 'openTransfer', ...insisting }
    : { name: 'transferAtOnce', ...cautious };

describe.concurrent('the server is told to try for ever', () => {
  it('each step of a transfer that completes', async () => {
    const transfer = await transfers.begin({ minor: '1000001', balance: 5_000_000n });
    await transfer.reaches('awaiting-approval');
    await transfer.act('approve', {});
    expect((await scheduledBy(transfer)).map(limitsOf)).toEqual([
      first(),
      { name: 'recordApproval', ...insisting },
      { name: 'withdraw', ...cautious },
      { name: 'deposit', ...cautious },
      { name: 'endTransfer', ...cautious },
    ]);
  });

  it('each step of a transfer whose return is blocked', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.unfreeze('payer');
    expect((await scheduledBy(transfer)).map(limitsOf)).toEqual([
      first(),
      { name: 'withdraw', ...cautious },
      { name: 'deposit', ...cautious },
      { name: 'refund', ...cautious },
      { name: 'refund', ...insisting },
      { name: 'endTransfer', ...cautious },
    ]);
  });

  it('a settlement', async () => {
    const transfer = await beginStuck(transfers);
    await transfer.act('resolve', { how: 'settle', note: 'paid out in cash' });
    const settlements = (await scheduledBy(transfer)).filter(({ activityType }) => activityType?.name === 'settle');
    expect(settlements.map((settlement) => ({ ...limitsOf(settlement), gives: '' }))).toEqual([
      { name: 'settle', ...insisting },
    ]);
  });
});
