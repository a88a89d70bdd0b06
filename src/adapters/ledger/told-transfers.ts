import type { Database } from '../../database/database.ts';
import type { Loss, ToldEnd, ToldEnds } from '../../definition/permanent-row.ts';
import { startFields } from './transfer-rows.ts';

type KeptRow = {
  readonly has_row: boolean;
  readonly outcome: string | null;
  readonly resolve: string | null;
  readonly has_posting: boolean;
};

/** Compares what transfers told as their end with what the ledger keeps of them. It only reads. */
export const createToldTransfers = (database: Database): ToldEnds => ({
  async compare(told) {
    const rows = await database.query<KeptRow>(
      `select t.transfer_id is not null as has_row, t.outcome, p.outcome as resolve,
         exists (
           select from entries e
           where (e.tenant, e.posting_id) = (told.tenant, 'transfer/' || told.transfer_id || '/resolve')
         ) as has_posting
       from unnest($1::text[], $2::text[]) with ordinality as told (tenant, transfer_id, position)
       left join transfers t on (t.tenant, t.transfer_id) = (told.tenant, told.transfer_id)
       left join transfer_phases p on (p.tenant, p.transfer_id, p.phase) = (told.tenant, told.transfer_id, 'resolve')
       order by told.position`,
      [told.map(({ tenant }) => tenant), told.map(({ key }) => key)],
    );
    return told.map((end, index) => {
      const row = rows[index];
      if (row === undefined) throw new Error('the database answered for fewer transfers than were asked for');
      return lossOf(end, row);
    });
  },

  amountOf(input) {
    const { data } = startFields.safeParse(input);
    return data === undefined ? undefined : { currency: data.amount.currency, minor: BigInt(data.amount.minor) };
  },
});

/** How money that left clearing is recorded, by the outcomes which tell of it. */
const resolveOf: Readonly<Record<string, string>> = { completed: 'posted', settled: 'settled' };

function lossOf({ outcome, endedBy }: ToldEnd, row: KeptRow): Loss | undefined {
  if (!row.has_row) return { missing: 'row' };
  // The row of an instance that the engine stopped says how it stands, and the reconciler looks after it.
  if (endedBy === 'engine') return undefined;
  if (row.outcome === null) return { missing: 'outcome' };
  if (row.outcome !== outcome) return { missing: 'same-outcome', kept: row.outcome };
  const resolve = resolveOf[outcome];
  return resolve !== undefined && (row.resolve !== resolve || !row.has_posting) ? { missing: 'posting' } : undefined;
}
