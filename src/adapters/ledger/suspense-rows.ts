import type { Queryable } from '../../database/database.ts';
import type { Actor } from '../../definition/envelope.ts';
import type { TransferKey } from './phases.ts';

/** Where the money of a settled transfer is to go, and why. */
export interface ReleaseOrder extends TransferKey {
  readonly to: string;
  readonly note: string;
  readonly by: Actor;
  /** The proposal that a second person has confirmed, and that person. */
  readonly confirmed?: { readonly proposal: number; readonly by: Actor };
}

export interface Proposal {
  /** Counts the proposals for a transfer, from 1. */
  readonly number: number;
  readonly to: string;
  readonly note: string;
  readonly proposedBy: Actor;
  readonly proposedAt: Date;
}

/** Money that lay in suspense, and where it went. */
export interface Release extends Amount {
  readonly to: string;
  readonly note: string;
  readonly releasedBy: Actor;
  readonly confirmedBy: Actor | undefined;
  /** The number of the proposal that was confirmed. */
  readonly proposal: number | undefined;
  readonly releasedAt: Date;
}

/** Money in suspense: of which transfer, who settled it and why, and what is proposed for it. */
export interface Held extends Amount {
  readonly transferId: string;
  readonly payer: string;
  readonly payee: string;
  readonly settledAt: Date;
  readonly note: string | undefined;
  readonly settledBy: string | undefined;
  readonly confirmedBy: string | undefined;
  readonly proposal: Proposal | undefined;
}

interface Amount {
  readonly currency: string;
  /** Minor units. */
  readonly amountMinor: bigint;
}

const settled = `transfer_phases p join transfers t using (tenant, transfer_id)
  where p.tenant = $1 and p.phase = 'resolve' and p.outcome = 'settled'`;

/**
 * What a transfer left in suspense, released or not. Undefined where it was not settled. Until the transaction ends, others
 * who propose, confirm or release for this transfer wait.
 */
export async function readSettled(tx: Queryable, { tenant, transferId }: TransferKey): Promise<Amount | undefined> {
  const [row] = await tx.query<{ currency: string; amount_minor: bigint }>(
    `select t.currency, t.amount_minor from ${settled} and p.transfer_id = $2 for no key update of t`,
    [tenant, transferId],
  );
  return row && { currency: row.currency, amountMinor: row.amount_minor };
}

/** What a tenant has in suspense, by transfer id. */
export async function readHeld(
  from: Queryable,
  { tenant, limit, after = '' }: { tenant: string; limit: number; after?: string | undefined },
): Promise<Held[]> {
  const rows = await from.query<HeldRow>(
    `select p.transfer_id, t.payer_id, t.payee_id, t.currency, t.amount_minor, p.recorded_at, s.note, s.settled_by_sub,
       s.confirmed_by_sub, proposed.number, proposed.account_id, proposed.note as proposed_note,
       proposed.proposed_by_iss, proposed.proposed_by_sub, proposed.proposed_at
     from (
       select p.tenant, p.transfer_id, p.recorded_at from transfer_phases p
       where p.tenant = $1 and p.outcome = 'settled' and p.transfer_id > $2
         and not exists (select from suspense_releases r where (r.tenant, r.transfer_id) = (p.tenant, p.transfer_id))
       order by p.transfer_id limit $3
     ) p
     join transfers t using (tenant, transfer_id)
     left join settlements s using (tenant, transfer_id)
     left join lateral (
       select * from suspense_proposals o where (o.tenant, o.transfer_id) = (p.tenant, p.transfer_id)
       order by o.number desc limit 1
     ) proposed on true
     order by p.transfer_id`,
    [tenant, after, limit],
  );
  return rows.map((row) => ({
    transferId: row.transfer_id,
    payer: row.payer_id,
    payee: row.payee_id,
    currency: row.currency,
    amountMinor: row.amount_minor,
    settledAt: row.recorded_at,
    note: row.note ?? undefined,
    settledBy: row.settled_by_sub ?? undefined,
    confirmedBy: row.confirmed_by_sub ?? undefined,
    proposal: row.number === null ? undefined : toProposal({ ...row, number: row.number, note: row.proposed_note }),
  }));
}

/** The newest proposal for a transfer. */
export async function readProposal(
  from: Queryable,
  { tenant, transferId }: TransferKey,
): Promise<Proposal | undefined> {
  const [row] = await from.query<ProposalRow>(
    'select * from suspense_proposals where tenant = $1 and transfer_id = $2 order by number desc limit 1',
    [tenant, transferId],
  );
  return row && toProposal(row);
}

/** Undefined where a proposal has the number already. */
export async function insertProposal(
  tx: Queryable,
  { tenant, transferId, to, note, by }: ReleaseOrder,
  number: number,
): Promise<Proposal | undefined> {
  const [row] = await tx.query<ProposalRow>(
    `insert into suspense_proposals (tenant, transfer_id, number, account_id, note, proposed_by_iss, proposed_by_sub)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning *`,
    [tenant, transferId, number, to, note, by.iss, by.sub],
  );
  return row && toProposal(row);
}

export async function readRelease(from: Queryable, { tenant, transferId }: TransferKey): Promise<Release | undefined> {
  const [row] = await from.query<ReleaseRow>('select * from suspense_releases where tenant = $1 and transfer_id = $2', [
    tenant,
    transferId,
  ]);
  if (row === undefined) return undefined;
  return {
    currency: row.currency,
    amountMinor: row.amount_minor,
    to: row.account_id,
    note: row.note,
    releasedBy: { iss: row.released_by_iss, sub: row.released_by_sub },
    confirmedBy: row.confirmed_by_iss === null ? undefined : { iss: row.confirmed_by_iss, sub: row.confirmed_by_sub },
    proposal: row.proposal ?? undefined,
    releasedAt: row.released_at,
  };
}

/** Answers false where the transfer was released before. Waits for another transaction that releases it. */
export async function insertRelease(
  tx: Queryable,
  { tenant, transferId, to, note, by, confirmed }: ReleaseOrder,
  { currency, amountMinor }: Amount,
): Promise<boolean> {
  const inserted = await tx.query(
    `insert into suspense_releases (tenant, transfer_id, account_id, currency, amount_minor, note, released_by_iss,
       released_by_sub, proposal, confirmed_by_iss, confirmed_by_sub)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing returning transfer_id`,
    [
      ...[tenant, transferId, to, currency, amountMinor, note, by.iss, by.sub],
      ...[confirmed?.proposal ?? null, confirmed?.by.iss ?? null, confirmed?.by.sub ?? null],
    ],
  );
  return inserted.length > 0;
}

type ProposalRow = {
  number: number;
  account_id: string;
  note: string;
  proposed_by_iss: string;
  proposed_by_sub: string;
  proposed_at: Date;
};

type HeldRow = Omit<ProposalRow, 'number' | 'note'> & {
  transfer_id: string;
  payer_id: string;
  payee_id: string;
  currency: string;
  amount_minor: bigint;
  recorded_at: Date;
  note: string | null;
  settled_by_sub: string | null;
  confirmed_by_sub: string | null;
  /** Null where nothing is proposed; the other columns of the proposal are null then as well. */
  number: number | null;
  proposed_note: string;
};

type ReleaseRow = {
  account_id: string;
  currency: string;
  amount_minor: bigint;
  note: string;
  proposal: number | null;
  released_by_iss: string;
  released_by_sub: string;
  released_at: Date;
} & ({ confirmed_by_iss: null } | { confirmed_by_iss: string; confirmed_by_sub: string });

const toProposal = (row: ProposalRow): Proposal => ({
  number: row.number,
  to: row.account_id,
  note: row.note,
  proposedBy: { iss: row.proposed_by_iss, sub: row.proposed_by_sub },
  proposedAt: row.proposed_at,
});
