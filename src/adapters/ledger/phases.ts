import type { Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';

/** A phase changes once, when its own transaction finds that it must reject. A trigger holds that. */
export const phaseGrants = {
  transfer_phases: ['select', 'insert', { update: ['outcome', 'reason'] }],
} satisfies Grants;

/** Names one transfer for ever. */
export interface TransferKey {
  readonly tenant: string;
  readonly transferId: string;
}

export type RejectReason = 'insufficient-funds' | 'account-unknown' | 'account-frozen' | 'currency-differs';
export type ReserveOutcome = 'reserved' | 'rejected' | 'voided';
export type ResolveOutcome = 'posted' | 'refunded' | 'settled';

/** A transfer as its rows say. A phase is null until it is reached, and never changes after that. */
export type Transfer = {
  readonly payer_id: string;
  readonly payee_id: string;
  readonly currency: string;
  readonly amount_minor: bigint;
  readonly is_ended: boolean;
  /** It needs a second person's approval, and has none. */
  readonly is_unapproved: boolean;
  readonly reserve: ReserveOutcome | null;
  readonly reason: RejectReason | null;
  readonly resolve: ResolveOutcome | null;
};

/** Reads a transfer. With `lock` it cannot end before the transaction ends. */
export async function readTransfer(from: Queryable, key: TransferKey, { lock = false } = {}): Promise<Transfer> {
  const [transfer] = await from.query<Transfer>(
    `select t.payer_id, t.payee_id, t.currency, t.amount_minor, t.outcome is not null as is_ended,
       t.approval_required and t.approved_at is null as is_unapproved, a.outcome as reserve, a.reason, b.outcome as resolve
     from transfers t
     left join transfer_phases a on (a.tenant, a.transfer_id, a.phase) = (t.tenant, t.transfer_id, 'reserve')
     left join transfer_phases b on (b.tenant, b.transfer_id, b.phase) = (t.tenant, t.transfer_id, 'resolve')
     where t.tenant = $1 and t.transfer_id = $2 ${lock ? 'for share of t' : ''}`,
    [key.tenant, key.transferId],
  );
  if (transfer === undefined) throw new Error('the transfer was never opened');
  return transfer;
}

/**
 * Writes that the reserve phase was reached. Answers false where it was reached before. Waits for another transaction
 * that writes it; where that one stalls, the wait ends in the database's lock timeout.
 */
export const recordReserve = (tx: Queryable, key: TransferKey, outcome: ReserveOutcome): Promise<boolean> =>
  recordPhase(tx, key, { phase: 'reserve', outcome });

/** Does for the resolve phase what {@link recordReserve} does. The database refuses it where nothing was reserved. */
export const recordResolve = (tx: Queryable, key: TransferKey, outcome: ResolveOutcome): Promise<boolean> =>
  recordPhase(tx, key, { phase: 'resolve', outcome });

/** Turns the reserve that this transaction has recorded into a rejection. */
export async function rejectReserve(tx: Queryable, key: TransferKey, reason: RejectReason): Promise<void> {
  await tx.query(
    `update transfer_phases set outcome = 'rejected', reason = $3
     where tenant = $1 and transfer_id = $2 and phase = 'reserve'`,
    [key.tenant, key.transferId, reason],
  );
}

async function recordPhase(
  tx: Queryable,
  key: TransferKey,
  { phase, outcome }: { phase: 'reserve' | 'resolve'; outcome: string },
): Promise<boolean> {
  const recorded = await tx.query(
    `insert into transfer_phases (tenant, transfer_id, phase, outcome) values ($1, $2, $3, $4)
     on conflict do nothing returning phase`,
    [key.tenant, key.transferId, phase, outcome],
  );
  return recorded.length > 0;
}
