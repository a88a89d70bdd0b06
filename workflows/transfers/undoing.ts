import type { TransferKey } from '../../src/adapters/ledger/phases.ts';
import type { SettlementTold } from '../../src/adapters/ledger/settlements.ts';
import type { Undo } from '../instance/compensation.ts';
import type { SettlementOrder } from '../instance/resolution.ts';
import { type Ending, endingOf } from './ending.ts';
import { type Activities, cautious, persistent } from './money.ts';

/** How a refund ended: refunded, or as the money had been resolved before. */
export type Refund = { readonly outcome: 'refunded' } | Extract<Ending, { outcome: 'completed' | 'settled' }>;

/** Returns the money to the payer. */
export const refundOf = (transfer: TransferKey): Undo<Refund> => ({
  attempt: async () => refundedBy(await cautious.refund(transfer)),
  insist: async () => refundedBy(await persistent.refund(transfer)),
});

// Where the permanent row is lost there is no money to return. The ending finds that out as well, and writes the row.
const refundedBy = (answer: Awaited<ReturnType<Activities['refund']>>): Refund =>
  answer.kind === 'conflict' ? endingOf(answer.with, answer.settlement) : { outcome: 'refunded' };

const toldOf = ({ note, settledBy, confirmedBy }: SettlementOrder): SettlementTold => ({
  note,
  settledBy: settledBy.sub,
  ...(confirmedBy && { confirmedBy: confirmedBy.sub }),
});

/** Books the money to suspense. Undefined where there is none to settle. */
export async function settle(
  transfer: TransferKey,
  order: SettlementOrder,
): Promise<Refund | 'second-person-required' | undefined> {
  const answer = await cautious.settle({ ...transfer, settlement: order });
  switch (answer.kind) {
    case 'settled':
      // The ledger has none of a settlement that was booked by an earlier release.
      return endingOf('settled', answer.settlement ?? toldOf(order));
    case 'conflict':
      return answer.with === 'posted' ? endingOf('posted', undefined) : { outcome: 'refunded' };
    case 'nothing-reserved':
      return undefined;
    case 'second-person-required':
      return 'second-person-required';
  }
}
