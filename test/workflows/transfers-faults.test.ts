import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breakAfter, breakBefore, createGate, failFirst, loseFirstAnswer } from '../harness/adapter-calls.ts';
import { openTransferBench, type TransferBench } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

let bench: TransferBench;

beforeAll(async () => {
  bench = await openTransferBench({ address: temporalAddress() });
});
afterAll(() => bench.close());

const faults = [
  { fault: 'its database is away twice', interference: failFirst(2) },
  { fault: 'its first answer is lost', interference: loseFirstAnswer },
];

describe.concurrent.each(faults)('where $fault', ({ interference }) => {
  it.each(['openTransfer', 'recordApproval', 'withdraw', 'deposit', 'endTransfer'] as const)(
    '%s is repeated and the money moves once',
    async (method) => {
      const transfer = await bench.begin({
        minor: '1000001',
        balance: 5_000_000n,
        interference: { [method]: interference },
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
    const transfer = await bench.begin({
      minor: '1250',
      balance: 5_000n,
      interference: { deposit: gate.interference, refund: interference },
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
    { step: 'a withdrawal before its effect', interference: { withdraw: breakBefore } },
    { step: 'a withdrawal after its effect', interference: { withdraw: breakAfter } },
    { step: 'a deposit before its effect', interference: { deposit: breakBefore } },
  ])('$step, the money is returned', async ({ interference }) => {
    const transfer = await bench.begin({ minor: '1250', balance: 5_000n, interference });
    expect(await transfer.result()).toMatchObject({ outcome: 'compensated', reason: 'withdrawal-undone' });
    expect(await transfer.balances()).toEqual({ payer: 5_000n, payee: 0n });
    expect(await transfer.clearing()).toBe(0n);
  });

  it('a deposit after its effect, the transfer is completed', async () => {
    const transfer = await bench.begin({ minor: '1250', balance: 5_000n, interference: { deposit: breakAfter } });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
  });

  it('a withdrawal whose late attempt comes after the return, the late one moves nothing', async () => {
    const late = createGate({ at: 'entry' });
    const transfer = await bench.begin({
      minor: '1250',
      balance: 5_000n,
      interference: {
        withdraw: (proceed) => {
          void late.interference(proceed, 1);
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
    const first = await bench.startWorker();
    const transfer = await bench.begin({
      minor: '1250',
      balance: 5_000n,
      taskQueue: first.taskQueue,
      interference: { [method]: gate.interference },
    });
    await gate.reached;
    // It polls no more: what the activity brings about is left for the next worker.
    const stopped = first.stop();
    gate.open();
    await stopped;
    expect((await transfer.read()).status).toBe('RUNNING');
    await bench.startWorker(first.taskQueue);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual({ payer: 3_750n, payee: 1_250n });
    expect(transfer.callsOf(method)).toBe(1);
  });

  it('while a second person is awaited, the next worker still waits', async () => {
    const first = await bench.startWorker();
    const transfer = await bench.begin({ minor: '1000001', balance: 5_000_000n, taskQueue: first.taskQueue });
    await transfer.reaches('awaiting-approval');
    await first.stop();
    await bench.startWorker(first.taskQueue);
    expect(await transfer.act('approve', {})).toEqual({ accepted: true });
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
  });
});
