import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Actor } from '../../definition/envelope.ts';
import type { TransferKey } from './phases.ts';

/** Who settled by hand, and why, is only ever added to. */
export const settlementGrants = { settlements: ['select', 'insert'] } satisfies Grants;

/** A settlement by hand, as people ordered it. */
export interface Settlement {
  readonly note: string;
  readonly settledBy: Actor;
  /** The second person, where one was asked. */
  readonly confirmedBy?: Actor | undefined;
}

/** What the ledger tells of a settlement: subjects, without their issuers. Those from before this table may have none. */
export interface SettlementTold {
  readonly note: string;
  readonly settledBy?: string;
  readonly confirmedBy?: string;
}

export type Settlements = ReturnType<typeof createSettlements>;

/** Who settled which transfer by hand, and why. */
export const createSettlements = (database: Database) => ({
  /** Undefined where the transfer was not settled, or by code that kept no note. */
  async findSettlement({ tenant, transferId }: TransferKey): Promise<SettlementTold | undefined> {
    const [row] = await database.query<{
      note: string;
      settled_by_sub: string | null;
      confirmed_by_sub: string | null;
    }>('select note, settled_by_sub, confirmed_by_sub from settlements where tenant = $1 and transfer_id = $2', [
      tenant,
      transferId,
    ]);
    if (row === undefined) return undefined;
    const { note, settled_by_sub: settledBy, confirmed_by_sub: confirmedBy } = row;
    return { note, ...(settledBy !== null && { settledBy }), ...(confirmedBy !== null && { confirmedBy }) };
  },
});

/** Keeps who settled, in the transaction that books the money. The database refuses it where nothing was settled. */
export async function recordSettlement(
  tx: Queryable,
  { tenant, transferId }: TransferKey,
  { note, settledBy, confirmedBy }: Settlement,
): Promise<void> {
  await tx.query(
    `insert into settlements (tenant, transfer_id, note, settled_by_iss, settled_by_sub, confirmed_by_iss, confirmed_by_sub)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [tenant, transferId, note, settledBy.iss, settledBy.sub, confirmedBy?.iss ?? null, confirmedBy?.sub ?? null],
  );
}
