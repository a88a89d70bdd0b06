import type { TransferKey } from '../../src/adapters/ledger/phases.ts';
import type { SettlementTold } from '../../src/adapters/ledger/settlements.ts';
import type { TransferOutput } from '../../src/catalog/transfers.ts';
import type { Compensation } from '../instance/compensation.ts';
import { enterStep } from '../instance/steps.ts';
import { type Activities, cautious, persistent } from './money.ts';

/** A result without the fields that every result has. */
export type Ending = WithoutCommon<TransferOutput>;
type WithoutCommon<Result> = Result extends unknown ? Omit<Result, 'transferId' | 'amount'> : never;

/** Undoes what was done, and answers the ending: the wanted one, unless the money was delivered or settled before. */
export type Compensate = (wanted: Ending) => Promise<Ending>;

/** The stored result, or where the money is that contradicts the ending. */
export type Stored = Awaited<ReturnType<Activities['endTransfer']>>;

export const withdrawalUndone = { outcome: 'compensated', reason: 'withdrawal-undone' } as const;

/** The ending of a transfer that had moved money of which the ledger knows nothing any more. */
export const ledgerLost = { outcome: 'compensated', reason: 'ledger-lost' } as const;

/** The ending of money that was resolved before. A settlement by earlier code has no note in the ledger. */
export const endingOf = (resolved: 'posted' | 'settled', settlement: SettlementTold | undefined) =>
  resolved === 'posted'
    ? ({ outcome: 'completed' } as const)
    : ({ outcome: 'settled', note: 'Settled before', ...settlement } as const);

interface Storing {
  readonly transfer: TransferKey;
  readonly resultOf: (ending: Ending) => TransferOutput;
  readonly refund: Compensate;
  /** Writes the permanent row, as at the beginning. */
  readonly open: () => ReturnType<Activities['openTransfer']>;
  /** Stores the result; where that cannot be done, an operator is asked. */
  readonly storing: Compensation<Stored>;
}

/**
 * Stores how the transfer ended, and answers the result that stands. This run may not know of money that moved before,
 * or the ledger may have lost rows of money that did: the row refuses such an ending, and the transfer ends as its money
 * did. An ending that claims less than the one before follows each refusal, so that this cannot go on for ever.
 */
export async function storeEnding(ending: Ending, given: Storing): Promise<TransferOutput> {
  enterStep('ending');
  const { transfer, resultOf, refund, open, storing } = given;
  const result = resultOf(ending);
  const stored = await storing.run({
    attempt: () => cautious.endTransfer({ ...transfer, result }),
    insist: () => persistent.endTransfer({ ...transfer, result }),
  });
  if ('outcome' in stored) return stored;
  switch (stored.money) {
    case 'reserved':
      return storeEnding(await refund(ending.outcome === 'cancelled' ? ending : withdrawalUndone), given);
    case 'posted':
      return storeEnding(endingOf('posted', undefined), given);
    case 'settled':
      return storeEnding(endingOf('settled', stored.settlement), given);
    case 'absent':
      return storeEnding(ledgerLost, given);
    case 'unrecorded': {
      // The row is lost, and with it everything that refers to it. It is written again from the instance's own input.
      const opened = await open();
      if (opened.state === 'ended') return opened.result;
      if (opened.state === 'conflict') return resultOf({ outcome: 'conflict' });
      return storeEnding(ending.outcome === 'compensated' ? ledgerLost : ending, given);
    }
  }
}
