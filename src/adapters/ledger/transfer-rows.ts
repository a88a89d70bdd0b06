import { z } from 'zod';
import type { Database } from '../../database/database.ts';
import type { PermanentRow, PermanentRows } from '../../definition/permanent-row.ts';
import { type AskedColumns, isSame } from './asked.ts';
import { type HoldColumns, holdColumns, holdOf, joinHold } from './holds.ts';
import { storedResult } from './records.ts';

/** The fields of a start that the permanent row keeps. */
export const startFields = z.looseObject({
  from: z.string(),
  to: z.string(),
  amount: z.looseObject({ currency: z.string(), minor: z.string() }),
  reference: z.string().optional(),
  requestedBy: z.string().optional(),
});

type FoundRow = HoldColumns & { transfer_id: string; opened_at: Date; ended_at: Date | null; result: unknown };

const columns = `t.transfer_id, t.opened_at, t.ended_at, t.result, ${holdColumns}`;

/** The permanent rows of transfers, for those who tell callers how an instance stands. It only reads. */
export const createTransferRows = (database: Database): PermanentRows => ({
  async find(tenant, keys) {
    const rows = await database.query<FoundRow>(
      `select ${columns} from transfers t ${joinHold} where t.tenant = $1 and t.transfer_id = any ($2::text[])`,
      [tenant, keys],
    );
    return new Map(rows.map((row) => [row.transfer_id, toRow(row)]));
  },

  async findSame({ tenant, key, input, fingerprint }) {
    const [row] = await database.query<FoundRow & AskedColumns>(
      `select ${columns}, t.payer_id, t.payee_id, t.currency, t.amount_minor, t.reference, t.requested_by, t.fingerprint
       from transfers t ${joinHold} where t.tenant = $1 and t.transfer_id = $2`,
      [tenant, key],
    );
    if (row === undefined) return undefined;
    const { from, to, amount, reference, requestedBy } = startFields.parse(input);
    const asked = { from, to, currency: amount.currency, amountMinor: BigInt(amount.minor), reference, requestedBy };
    return isSame(row, { ...asked, fingerprint }) ? toRow(row) : undefined;
  },
});

const toRow = (row: FoundRow): PermanentRow => ({
  key: row.transfer_id,
  openedAt: row.opened_at,
  hold: holdOf(row),
  ...(row.ended_at === null ? {} : { end: { result: storedResult.parse(row.result), endedAt: row.ended_at } }),
});
