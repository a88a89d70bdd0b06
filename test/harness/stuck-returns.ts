import { createGate } from './adapter-calls.ts';
import type { Transfer, TransferOptions, Transfers } from './transfers.ts';

const cancelRequested = 'EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED';

/**
 * Begins a transfer whose payee will refuse the money and whose payer cannot take it back. Its deposit is held until
 * `getStuck`, which resolves once the return is stuck. It moves 1,250 of the payer's 5,000 minor units, unless told
 * otherwise.
 */
export async function beginFrozen({ begin }: Pick<Transfers, 'begin'>, given: TransferOptions = {}) {
  const deposit = createGate({ at: 'entry' });
  const transfer = await begin({
    minor: '1250',
    balance: 5_000n,
    ...given,
    calls: { ...given.calls, deposit: deposit.hold },
  });
  await deposit.reached;
  await transfer.freeze('payee');
  await transfer.freeze('payer');
  const getStuck = async (): Promise<void> => {
    deposit.open();
    await transfer.reaches('compensation-stuck');
  };
  return { transfer, getStuck };
}

/** Begins such a transfer, and resolves with it once its return is stuck. */
export async function beginStuck(transfers: Pick<Transfers, 'begin'>, given?: TransferOptions): Promise<Transfer> {
  const { transfer, getStuck } = await beginFrozen(transfers, given);
  await getStuck();
  return transfer;
}

/**
 * Has an operator retry a stuck return that has become possible. Resolves with the answer, and throws where that is a
 * refusal. Temporal retries the return as well, so its attempt is held until the operator is answered. From then on
 * refunds go through, whatever handled them before.
 */
export async function retryOncePossible(
  transfer: Transfer,
  makePossible: () => Promise<unknown> = () => transfer.unfreeze('payer'),
): Promise<unknown> {
  const refund = createGate({ at: 'entry' });
  transfer.handleCall('refund', refund.hold);
  await refund.reached;
  const cancels = (await transfer.eventTypes()).filter((type) => type === cancelRequested).length;
  try {
    await makePossible();
    const answer = await transfer.act('resolve', { how: 'retry' });
    // A retry gives up the attempt that is under way. One that did nothing would be answered alike.
    await transfer.hasHeard(cancelRequested, { times: cancels + 1 });
    return answer;
  } finally {
    refund.open();
  }
}
