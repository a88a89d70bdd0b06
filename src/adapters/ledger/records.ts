import { z } from 'zod';
import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Actor } from '../../definition/envelope.ts';
import { type Asked, type AskedColumns, isSame } from './asked.ts';
import { readTransfer, type TransferKey } from './phases.ts';
import { type MoneyStanding, standingAgainst } from './standing.ts';

const approvalColumns = ['approved_by_iss', 'approved_by_sub', 'approved_at'];
const endColumns = ['outcome', 'result', 'ended_at'];

/** What was asked never changes; approval and end are written once. */
export const transferGrants = {
  transfers: ['select', 'insert', { update: [...approvalColumns, ...endColumns] }],
} satisfies Grants;

/** The facts of a transfer that its permanent row keeps. */
export interface TransferOpening extends TransferKey, Asked {
  readonly startedBy: Actor;
  readonly approvalRequired: boolean;
}

/** An opening, and the result of the transfer where the same commit completes it. */
export interface TransferAtOnce extends TransferOpening {
  readonly result: StoredResult;
}

/** The stored result of a transfer: `outcome` and the fields that belong to it. */
export type StoredResult = z.output<typeof storedResult>;

/** `conflict`: the id belongs to another transfer. `startedBy` and `approvalRequired` are from the first opening. */
export type TransferOpened =
  | {
      readonly state: 'open';
      readonly startedBy: Actor;
      readonly approvalRequired: boolean;
      readonly approvedBy?: Actor;
    }
  | { readonly state: 'ended'; readonly result: StoredResult }
  | { readonly state: 'conflict' };

/** `approvedBy` is the person who approved first. `unrecorded`: the transfer has no row. */
export type ApprovalRecorded =
  | { readonly kind: 'recorded'; readonly approvedBy: Actor }
  | { readonly kind: 'ended'; readonly result: StoredResult }
  | { readonly kind: 'unrecorded' };

export type TransferRecords = ReturnType<typeof createTransferRecords>;

/** The permanent row of each transfer: what was asked, who approved, how it ended. Rows are never deleted. */
export const createTransferRecords = (database: Database) => ({
  /**
   * Writes the row, or reads the one that exists and compares its fields with the opening. The starter is not
   * compared: a second relay may finish what the first began.
   */
  async openTransfer(opening: TransferOpening): Promise<TransferOpened> {
    await database.query(
      `insert into transfers (tenant, transfer_id, payer_id, payee_id, currency, amount_minor, reference, requested_by,
         started_by_iss, started_by_sub, fingerprint, approval_required)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing`,
      valuesOf(opening),
    );
    return openedAs(await readRow(database, opening), opening);
  },

  /**
   * Writes the row as `openTransfer` does. Where no approval is required and both accounts take it, the same commit
   * moves the money and stores the result. A row that existed before is only read. Where the answer is `open` without an
   * earlier start, nothing has moved.
   */
  async transferAtOnce({ result, ...opening }: TransferAtOnce): Promise<TransferOpened> {
    // It begins with WITH, because of a statement that begins with SELECT the database believes that it changes nothing.
    const [row] = await database.query<TransferRow>(
      `with opened as (select * from open_transfer_at_once($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13))
       select ${rowColumns} from opened`,
      [...valuesOf(opening), JSON.stringify(result)],
    );
    if (row === undefined) throw new Error('a transfer that was opened has no row');
    return openedAs(row, opening);
  },

  /** Stores who approved. The first approval stands, and an ended transfer takes none. */
  async recordApproval({ tenant, transferId, by }: TransferKey & { readonly by: Actor }): Promise<ApprovalRecorded> {
    await database.query(
      `update transfers set approved_by_iss = $3, approved_by_sub = $4, approved_at = now()
       where tenant = $1 and transfer_id = $2 and approved_at is null and outcome is null`,
      [tenant, transferId, by.iss, by.sub],
    );
    const row = await findRow(database, { tenant, transferId });
    if (row === undefined) return { kind: 'unrecorded' };
    const approvedBy = approverOf(row);
    if (approvedBy !== undefined) return { kind: 'recorded', approvedBy };
    return { kind: 'ended', result: storedResult.parse(row.result) };
  },

  /**
   * Stores how the transfer ended, and answers the result that is stored: the first one stands. A result that
   * contradicts the money is not stored, since a late step may have moved it; the answer then says where it is.
   */
  endTransfer: ({
    tenant,
    transferId,
    result,
  }: TransferKey & { readonly result: StoredResult }): Promise<StoredResult | MoneyStanding> =>
    database.transaction(async (tx) => {
      const key = { tenant, transferId };
      // A new phase refers to this row and waits for its lock, so the phases read below hold until the commit.
      const row = await lockResult(tx, key);
      if (row === undefined) return { money: 'unrecorded' };
      if (row.result !== null) return storedResult.parse(row.result);
      const money = standingAgainst(result, await readTransfer(tx, key));
      if (money !== undefined) return { money };
      const [stored] = await tx.query<{ result: unknown }>(
        `update transfers set outcome = $3, result = $4, ended_at = now()
         where tenant = $1 and transfer_id = $2 returning result`,
        [tenant, transferId, result.outcome, JSON.stringify(result)],
      );
      return storedResult.parse(stored?.result);
    }),
});

/** What `result` holds. */
export const storedResult = z.looseObject({ outcome: z.string() });

type TransferRow = AskedColumns & {
  started_by_iss: string;
  started_by_sub: string;
  approval_required: boolean;
  approved_by_iss: string | null;
  approved_by_sub: string | null;
  result: unknown;
};

const rowColumns = `payer_id, payee_id, currency, amount_minor, reference, requested_by, started_by_iss, started_by_sub,
  fingerprint, approval_required, approved_by_iss, approved_by_sub, result`;

const valuesOf = (opening: TransferOpening) => [
  opening.tenant,
  opening.transferId,
  opening.from,
  opening.to,
  opening.currency,
  opening.amountMinor,
  opening.reference ?? null,
  opening.requestedBy ?? null,
  opening.startedBy.iss,
  opening.startedBy.sub,
  opening.fingerprint,
  opening.approvalRequired,
];

async function readRow(from: Queryable, key: TransferKey): Promise<TransferRow> {
  const row = await findRow(from, key);
  if (row === undefined) throw new Error('the transfer was never opened');
  return row;
}

async function findRow(from: Queryable, { tenant, transferId }: TransferKey): Promise<TransferRow | undefined> {
  const [row] = await from.query<TransferRow>(
    `select ${rowColumns} from transfers where tenant = $1 and transfer_id = $2`,
    [tenant, transferId],
  );
  return row;
}

function openedAs(row: TransferRow, opening: TransferOpening): TransferOpened {
  if (!isSame(row, opening)) return { state: 'conflict' };
  if (row.result !== null) return { state: 'ended', result: storedResult.parse(row.result) };
  const approvedBy = approverOf(row);
  return {
    state: 'open',
    startedBy: { iss: row.started_by_iss, sub: row.started_by_sub },
    approvalRequired: row.approval_required,
    ...(approvedBy && { approvedBy }),
  };
}

async function lockResult(tx: Queryable, { tenant, transferId }: TransferKey) {
  const [row] = await tx.query<{ result: unknown }>(
    'select result from transfers where tenant = $1 and transfer_id = $2 for update',
    [tenant, transferId],
  );
  return row;
}

const approverOf = ({ approved_by_iss: iss, approved_by_sub: sub }: TransferRow): Actor | undefined =>
  iss === null || sub === null ? undefined : { iss, sub };
