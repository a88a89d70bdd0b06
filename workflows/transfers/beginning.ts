import { TemporalFailure } from '@temporalio/common';
import type { CancellationScope } from '@temporalio/workflow';
import type { Opening, TransferOrder } from '../../activities/transfers.ts';
import { cautious } from './money.ts';

interface Beginning {
  readonly order: TransferOrder;
  /** Writes the permanent row, or reads the one that exists. Nothing stops it, and it must succeed. */
  readonly open: () => Promise<Opening>;
  /** What a cancel stops. */
  readonly forward: CancellationScope;
}

/** The first step of a transfer. Its answer says whether more are to follow. */
export type Begin = (given: Beginning) => Promise<Opening>;

/** Writes the permanent row, and nothing else. */
export const byOpening: Begin = ({ open }) => open();

/**
 * Completes the transfer in the commit that writes its row, where that can be. A cancel stops it between two attempts. Where
 * it fails or is stopped, the row is opened by itself: the ledger lets a late attempt move nothing once the row is there.
 */
export const byCompleting: Begin = async ({ order, open, forward }) => {
  try {
    return await forward.run(() => cautious.transferAtOnce(order));
  } catch (error) {
    if (error instanceof TemporalFailure) return open();
    throw error;
  }
};
