import { createGate } from './adapter-calls.ts';
import type { Transfer, TransferOptions, Transfers } from './transfers.ts';

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
