import { z } from 'zod';
import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Actor } from '../../definition/envelope.ts';
import { readTransfer, type Transfer, type TransferKey } from './phases.ts';

const approvalColumns = ['approved_by_iss', 'approved_by_sub', 'approved_at'];
const endColumns = ['outcome', 'result', 'ended_at'];

/** What was asked never changes; approval and end are written once. */
export const transferGrants = {
  transfers: ['select', 'insert', { update: [...approvalColumns, ...endColumns] }],
} satisfies Grants;

/** The facts of a transfer that its permanent row keeps. */
export interface TransferOpening extends TransferKey {
  readonly from: string;
  readonly to: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Minor units, positive. */
  readonly amountMinor: bigint;
  readonly reference?: string | undefined;
  readonly requestedBy?: string | undefined;
  readonly startedBy: Actor;
  /** `{scheme}.{digest}` of the request. */
  readonly fingerprint: string;
  readonly approvalRequired: boolean;
}

/** The stored result of a transfer: `outcome` and the fields that belong to it. */
export type StoredResult = z.output<typeof storedResult>;

/**
 * Where the money is, if it contradicts a result: at the payee, in suspense, or `reserved`. Reserved money is in clearing,
 * or went back although the result says that none was taken: a refund answers which, and returns what is there.
 */
export interface MoneyStanding {
  readonly money: 'reserved' | 'posted' | 'settled';
}

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

/** `approvedBy` is the person who approved first. */
export type ApprovalRecorded =
  { readonly kind: 'recorded'; readonly approvedBy: Actor } | { readonly kind: 'ended'; readonly result: StoredResult };

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
    const row = await readRow(database, opening);
    if (!isSame(row, opening)) return { state: 'conflict' };
    if (row.result !== null) return { state: 'ended', result: storedResult.parse(row.result) };
    const approvedBy = approverOf(row);
    return {
      state: 'open',
      startedBy: { iss: row.started_by_iss, sub: row.started_by_sub },
      approvalRequired: row.approval_required,
      ...(approvedBy && { approvedBy }),
    };
  },

  /** Stores who approved. The first approval stands, and an ended transfer takes none. */
  async recordApproval({ tenant, transferId, by }: TransferKey & { readonly by: Actor }): Promise<ApprovalRecorded> {
    await database.query(
      `update transfers set approved_by_iss = $3, approved_by_sub = $4, approved_at = now()
       where tenant = $1 and transfer_id = $2 and approved_at is null and outcome is null`,
      [tenant, transferId, by.iss, by.sub],
    );
    const row = await readRow(database, { tenant, transferId });
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
      const stored = await lockResult(tx, key);
      if (stored !== null) return storedResult.parse(stored);
      const money = standingAgainst(result.outcome, await readTransfer(tx, key));
      if (money !== undefined) return { money };
      const [row] = await tx.query<{ result: unknown }>(
        `update transfers set outcome = $3, result = $4, ended_at = now()
         where tenant = $1 and transfer_id = $2 returning result`,
        [tenant, transferId, result.outcome, JSON.stringify(result)],
      );
      return storedResult.parse(row?.result);
    }),
});

/** What `result` holds. */
export const storedResult = z.looseObject({ outcome: z.string() });

/** The columns that say what was asked for. */
export type AskedColumns = Pick<
  TransferRow,
  'payer_id' | 'payee_id' | 'currency' | 'amount_minor' | 'reference' | 'requested_by' | 'fingerprint'
>;
type Asked = Omit<TransferOpening, keyof TransferKey | 'startedBy' | 'approvalRequired'>;

type TransferRow = {
  payer_id: string;
  payee_id: string;
  currency: string;
  amount_minor: bigint;
  reference: string | null;
  requested_by: string | null;
  started_by_iss: string;
  started_by_sub: string;
  fingerprint: string;
  approval_required: boolean;
  approved_by_iss: string | null;
  approved_by_sub: string | null;
  result: unknown;
};

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

async function readRow(from: Queryable, { tenant, transferId }: TransferKey): Promise<TransferRow> {
  const [row] = await from.query<TransferRow>(
    `select payer_id, payee_id, currency, amount_minor, reference, requested_by, started_by_iss, started_by_sub,
       fingerprint, approval_required, approved_by_iss, approved_by_sub, result
     from transfers where tenant = $1 and transfer_id = $2`,
    [tenant, transferId],
  );
  if (row === undefined) throw new Error('the transfer was never opened');
  return row;
}

async function lockResult(tx: Queryable, { tenant, transferId }: TransferKey): Promise<unknown> {
  const [row] = await tx.query<{ result: unknown }>(
    'select result from transfers where tenant = $1 and transfer_id = $2 for update',
    [tenant, transferId],
  );
  if (row === undefined) throw new Error('the transfer was never opened');
  return row.result;
}

/** Outcomes which say that no money was ever taken. */
const untouched = ['rejected', 'expired'];

/** Undefined where the phases agree with the outcome. A trigger of the database refuses the other contradictions. */
function standingAgainst(outcome: string, { reserve, resolve }: Transfer): MoneyStanding['money'] | undefined {
  if (resolve === 'refunded' && untouched.includes(outcome)) return 'reserved';
  if (reserve === 'reserved' && resolve === null) return 'reserved';
  if (resolve === 'posted' && outcome !== 'completed') return 'posted';
  return resolve === 'settled' && outcome !== 'settled' ? 'settled' : undefined;
}

/** Whether a row keeps the transfer that a start asks for. The starter is not compared. */
export const isSame = (row: AskedColumns, opening: Asked): boolean =>
  row.payer_id === opening.from &&
  row.payee_id === opening.to &&
  row.currency === opening.currency &&
  row.amount_minor === opening.amountMinor &&
  row.reference === (opening.reference ?? null) &&
  row.requested_by === (opening.requestedBy ?? null) &&
  isSameFingerprint(row.fingerprint, opening.fingerprint);

/** Fingerprints of two schemes, or of two keys, differ even for the same request. Then the fields alone decide. */
const isSameFingerprint = (one: string, other: string): boolean => one === other || schemeOf(one) !== schemeOf(other);

const schemeOf = (fingerprint: string): string => fingerprint.slice(0, fingerprint.lastIndexOf('.'));

const approverOf = ({ approved_by_iss: iss, approved_by_sub: sub }: TransferRow): Actor | undefined =>
  iss === null || sub === null ? undefined : { iss, sub };
