import type { Transfer } from './phases.ts';

/**
 * Where the money is, if it contradicts a result: at the payee, in suspense, or `reserved`. Reserved money is in clearing,
 * or went back although the result tells something else: a refund answers which, and returns what is there. `absent`:
 * the result tells of money of which the ledger knows nothing. `unrecorded`: the transfer has no row at all.
 */
export interface MoneyStanding {
  readonly money: 'reserved' | 'posted' | 'settled' | 'absent' | 'unrecorded';
}

/** Outcomes which say that no money was ever taken. */
const untouched = ['rejected', 'expired'];

/** Undefined where the phases agree with the result. A trigger of the database refuses the other contradictions. */
export function standingAgainst(
  result: { readonly outcome: string; readonly reason?: unknown },
  { reserve, resolve }: Transfer,
): MoneyStanding['money'] | undefined {
  const { outcome } = result;
  const isMoved = outcome === 'completed' || outcome === 'settled';
  if (resolve === 'refunded' && (isMoved || untouched.includes(outcome))) return 'reserved';
  if (reserve === 'reserved' && resolve === null) return 'reserved';
  if (resolve === 'posted' && outcome !== 'completed') return 'posted';
  if (resolve === 'settled' && outcome !== 'settled') return 'settled';
  // The ledger's own refusal of a withdrawal is a phase as well.
  const isRefused = outcome === 'rejected' && result.reason !== 'declined';
  return (isMoved && resolve === null) || (isRefused && reserve !== 'rejected') ? 'absent' : undefined;
}
