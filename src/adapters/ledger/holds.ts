import type { Database } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Hold, Holds } from '../../definition/permanent-row.ts';
import { isSameActor } from './actors.ts';

/** A hold is released once, and never deleted. */
export const holdGrants = {
  transfer_holds: ['select', 'insert', { update: ['released_by_iss', 'released_by_sub', 'released_at'] }],
} satisfies Grants;

/** The columns of a hold in force, as `h`; all null where none is. */
export type HoldColumns = {
  note: string | null;
  held_by_iss: string | null;
  held_by_sub: string | null;
  held_at: Date | null;
};

export const holdColumns = 'h.note, h.held_by_iss, h.held_by_sub, h.held_at';
export const joinHold =
  'left join transfer_holds h on (h.tenant, h.transfer_id) = (t.tenant, t.transfer_id) and h.released_at is null';

export const holdOf = ({ note, held_by_iss: iss, held_by_sub: sub, held_at: since }: HoldColumns): Hold | undefined =>
  note === null || iss === null || sub === null || since === null ? undefined : { note, by: { iss, sub }, since };

/** Transfers that operators hold back from the reconciler. */
export const createTransferHolds = (database: Database): Holds => ({
  put: ({ tenant, key, note, by }) =>
    database.transaction(async (tx) => {
      // The lock makes two holds of one transfer follow each other.
      const [transfer] = await tx.query<HoldColumns & { outcome: string | null }>(
        `select t.outcome, ${holdColumns} from transfers t ${joinHold}
         where t.tenant = $1 and t.transfer_id = $2 for no key update of t`,
        [tenant, key],
      );
      if (transfer === undefined) return { kind: 'unknown' };
      if (transfer.outcome !== null) return { kind: 'ended' };
      const before = holdOf(transfer);
      const isSame = before?.note === note && isSameActor(before.by, by);
      if (before !== undefined && isSame) return { kind: 'replayed', hold: before };
      if (before !== undefined) await tx.query(release, [tenant, key, by.iss, by.sub]);
      const [row] = await tx.query<{ held_at: Date }>(
        `insert into transfer_holds (tenant, transfer_id, note, held_by_iss, held_by_sub) values ($1, $2, $3, $4, $5)
         returning held_at`,
        [tenant, key, note, by.iss, by.sub],
      );
      if (row === undefined) throw new Error('a hold that was written is not there');
      return { kind: before === undefined ? 'created' : 'replaced', hold: { note, by, since: row.held_at } };
    }),

  async release({ tenant, key, by }) {
    const released = await database.query(`${release} returning transfer_id`, [tenant, key, by.iss, by.sub]);
    return released.length > 0;
  },
});

const release = `update transfer_holds set released_by_iss = $3, released_by_sub = $4, released_at = now()
  where tenant = $1 and transfer_id = $2 and released_at is null`;
