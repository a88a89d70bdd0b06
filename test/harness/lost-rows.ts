import type { TransferKey } from '../../src/adapters/ledger/phases.ts';
import type { Database } from '../../src/database/database.ts';

/** How far back a restore goes: before the money was delivered, before it was taken, or before the transfer was opened. */
export type Loss = 'delivery' | 'money' | 'everything';

const lostPhases = {
  delivery: ['resolve'],
  money: ['reserve', 'resolve'],
  everything: ['reserve', 'resolve'],
} as const;

/**
 * Takes away what the ledger keeps of a transfer, in one transaction, as a restore of an older backup does: phases and
 * postings, with the balances they had moved, and the permanent row. The database must belong to the test's own role.
 */
export const loseRows = (database: Database, { tenant, transferId }: TransferKey, loss: Loss): Promise<void> =>
  database.transaction(async (tx) => {
    const phases = lostPhases[loss];
    const postings = phases.map((phase) => `transfer/${transferId}/${phase}`);
    // Triggers, which keep rows from being deleted, do not fire.
    await tx.query("set local session_replication_role = 'replica'");
    await tx.query(
      `update accounts a set balance_minor = balance_minor - moved.sum
       from (
         select account_id, sum(amount_minor) as sum from entries where tenant = $1 and posting_id = any ($2)
         group by account_id
       ) moved
       where a.tenant = $1 and a.account_id = moved.account_id and a.kind = 'customer'`,
      [tenant, postings],
    );
    await tx.query('delete from entries where tenant = $1 and posting_id = any ($2)', [tenant, postings]);
    await tx.query('delete from settlements where tenant = $1 and transfer_id = $2', [tenant, transferId]);
    await tx.query('delete from transfer_phases where tenant = $1 and transfer_id = $2 and phase = any ($3)', [
      tenant,
      transferId,
      phases,
    ]);
    if (loss !== 'everything') return;
    await tx.query('delete from transfers where tenant = $1 and transfer_id = $2', [tenant, transferId]);
  });
