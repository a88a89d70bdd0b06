import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breakAfter, breakBefore, createGate, failFirst, loseFirstAnswer } from '../harness/adapter-calls.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

const faults = [
  { fault: 'its database is away twice', calls: failFirst(2) },
  { fault: 'its first answer is lost', calls: loseFirstAnswer },
];

describe.concurrent.each(faults)('where $fault', ({ calls }) => {
  it.each(['openTransfer', 'recordApproval', 'withdraw', 'deposit', 'endTransfer'] as const)(
    '%s is repeated and the money moves once',
    async (method) => {
      const transfer = await transfers.begin({
        minor: '1000001',
        balance: 5_000_000n,
        calls: { [method]: calls },
      });
      await transfer.reaches('awaiting-approval');
      await transfer.act('approve', {});
      expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
      expect(await transfer.balances()).toEqual({ payer: 3_999_999n, payee: 1_000_001n });
      expect(await transfer.clearing()).toBe(0n);
    },
  );

  it('refund is repeated and the money returns once', async () => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      calls: { deposit: gate.hold, refund: calls },
    });
    await gate.reached;
    await transfer.freeze('payee');
    gate.open();
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
    expect(await transfer.clearing()).toBe(0n);
  });
});

describe.concurrent('where a defect stops', () => {
  it.each([
    { step: 'a withdrawal before its effect', calls: { withdraw: breakBefore } },
    { step: 'a withdrawal after its effect', calls: { withdraw: breakAfter } },
    { step: 'a deposit before its effect', calls: { deposit: breakBefore } },
  ])('$step, the money is returned', async ({ calls }) => {
    const transfer = await transfers.begin({ minor: '1250', balance: 5_000n, calls });
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'withdrawal-undone' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
    expect(await transfer.clearing()).toBe(0n);
  });

  it('a deposit after its effect, the transfer is completed', async () => {
    const transfer = await transfers.begin({ minor: '1250', balance: 5_000n, calls: { deposit: breakAfter } });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
  });

  it('a withdrawal whose late attempt comes after the return, the late one moves nothing', async () => {
    const late = createGate({ at: 'entry' });
    const transfer = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      calls: {
        withdraw: (proceed) => {
          void late.hold(proceed, 1);
          return breakBefore(proceed, 1);
        },
      },
    });
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated' });
    late.open();
    await late.passed;
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
    expect(await transfer.clearing()).toBe(0n);
  });
});

describe.concurrent('where the worker is replaced', () => {
  it.each(['openTransfer', 'withdraw', 'deposit'] as const)('after %s, the next worker goes on', async (method) => {
    const gate = createGate({ at: 'entry' });
    const first = await transfers.startWorker();
    const transfer = await transfers.begin({
      minor: '1250',
      balance: 5_000n,
      taskQueue: first.taskQueue,
      calls: { [method]: gate.hold },
    });
    await gate.reached;
    // It polls no more: what the activity brings about is left for the next worker.
    const stopped = first.stop();
    gate.open();
    await stopped;
    expect((await transfer.read()).status).toBe('RUNNING');
    await transfers.startWorker(first.taskQueue);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
    expect(transfer.callsOf(method)).toBe(1);
  });

  it('while a second person is awaited, the next worker still waits', async () => {
    const first = await transfers.startWorker();
    const transfer = await transfers.begin({ minor: '1000001', balance: 5_000_000n, taskQueue: first.taskQueue });
    await transfer.reaches('awaiting-approval');
    await first.stop();
    await transfers.startWorker(first.taskQueue);
    expect(await transfer.act('approve', {})).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });
});
