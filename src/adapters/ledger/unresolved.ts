import type { Database } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { MoneyReport, Unresolved, UnresolvedRows } from '../../definition/permanent-row.ts';
import type { AskedColumns } from './asked.ts';

/** Rows of ended transfers are deleted: what is kept follows what is unresolved, not all history. */
export const reconciliationGrants = {
  transfer_reconciliations: [
    'select',
    'insert',
    'delete',
    { update: ['fence', 'lease_until', 'resumed', 'found', 'told_final'] },
  ],
} satisfies Grants;

type ClaimedRow = AskedColumns & {
  tenant: string;
  transfer_id: string;
  started_by_iss: string;
  started_by_sub: string;
  opened_at: Date;
  fence: bigint;
  resumed: number;
  told_final: boolean;
};

// Locked rows are those that another claims or that a step of the transfer writes at this moment.
const claimSome = `
  with due as (
    select t.tenant, t.transfer_id from transfers t
    left join transfer_reconciliations r on (r.tenant, r.transfer_id) = (t.tenant, t.transfer_id)
    where t.outcome is null and t.opened_at < now() - $1 * interval '1 millisecond'
      and (r.lease_until is null or r.lease_until <= now())
      and not exists (select from transfer_holds h
        where (h.tenant, h.transfer_id) = (t.tenant, t.transfer_id) and h.released_at is null)
    order by exists (select from transfer_phases p
        where (p.tenant, p.transfer_id, p.phase, p.outcome) = (t.tenant, t.transfer_id, 'reserve', 'reserved')) desc,
      r.lease_until nulls first, t.opened_at limit $3
    for no key update of t skip locked
  ), claimed as (
    insert into transfer_reconciliations as r (tenant, transfer_id, fence, lease_until)
    select tenant, transfer_id, 1, now() + $2 * interval '1 millisecond' from due
    on conflict (tenant, transfer_id) do update set fence = r.fence + 1, lease_until = excluded.lease_until
      where r.lease_until <= now()
    returning tenant, transfer_id, fence, resumed, told_final
  )
  select t.tenant, t.transfer_id, t.payer_id, t.payee_id, t.currency, t.amount_minor, t.reference, t.requested_by,
    t.started_by_iss, t.started_by_sub, t.fingerprint, t.opened_at, c.fence, c.resumed, c.told_final
  from claimed c join transfers t on (t.tenant, t.transfer_id) = (c.tenant, c.transfer_id)`;

const forgetEnded = `
  delete from transfer_reconciliations r using transfers t
  where (t.tenant, t.transfer_id) = (r.tenant, r.transfer_id) and t.outcome is not null`;

const takeUp = `
  update transfer_reconciliations r set resumed = resumed + 1, lease_until = now() + $4 * interval '1 millisecond'
  where r.tenant = $1 and r.transfer_id = $2 and r.fence = $3
    and exists (select from transfers t
      where (t.tenant, t.transfer_id) = (r.tenant, r.transfer_id) and t.outcome is null)
    and not exists (select from transfer_holds h
      where (h.tenant, h.transfer_id) = (r.tenant, r.transfer_id) and h.released_at is null)
  returning r.fence`;

/** Transfers without an outcome. It claims them for the reconciler and adds up their money; it books nothing. */
export const createUnresolvedTransfers = (database: Database): UnresolvedRows => ({
  async claim({ olderThanMs, leaseMs, limit }) {
    await database.query(forgetEnded);
    const rows = await database.transaction((tx) => tx.query<ClaimedRow>(claimSome, [olderThanMs, leaseMs, limit]));
    return rows.map(toUnresolved);
  },

  async takeUp({ tenant, key, fence }, leaseMs) {
    return (await database.query(takeUp, [tenant, key, fence, leaseMs])).length > 0;
  },

  async putOff({ tenant, key, fence }, { forMs, found }) {
    await database.query(
      `update transfer_reconciliations set lease_until = now() + $4 * interval '1 millisecond', found = $5,
         told_final = told_final or $5 = 'told-final'
       where tenant = $1 and transfer_id = $2 and fence = $3`,
      [tenant, key, fence, forMs, found],
    );
  },

  async report(): Promise<MoneyReport> {
    const byCurrency = await database.query<CurrencyRow>(unresolvedMoney);
    const suspense = await database.query<{ currency: string; minor: string }>(suspenseMoney);
    const [counts] = await database.query<{ held: bigint; interrupted: bigint }>(heldAndInterrupted);
    return {
      unresolved: byCurrency.map(({ currency, count, minor, oldest_seconds: oldestSeconds }) => ({
        currency,
        count: Number(count),
        minor: Number(minor),
        oldestSeconds,
      })),
      suspense: suspense.map(({ currency, minor }) => ({ currency, minor: Number(minor) })),
      held: Number(counts?.held ?? 0),
      interrupted: Number(counts?.interrupted ?? 0),
    };
  },
});

type CurrencyRow = { currency: string; count: bigint; minor: string; oldest_seconds: number };

// Money was taken, and neither delivered nor returned nor settled. The partial index bounds what is read.
const unresolvedMoney = `
  select t.currency, count(*) as count, sum(t.amount_minor)::text as minor,
    extract(epoch from now() - min(p.recorded_at))::float8 as oldest_seconds
  from transfers t
  join transfer_phases p on (p.tenant, p.transfer_id, p.phase, p.outcome) = (t.tenant, t.transfer_id, 'reserve', 'reserved')
  where t.outcome is null and not exists (select from transfer_phases r
    where (r.tenant, r.transfer_id, r.phase) = (t.tenant, t.transfer_id, 'resolve'))
  group by t.currency`;

const suspenseMoney = `
  select currency, sum(amount_minor)::text as minor from entries where account_id like '~suspense:%' group by currency`;

// One resumption counts as a cure until the next look. A second one says that the instance has stopped again.
const heldAndInterrupted = `
  select
    (select count(*) from transfer_holds h join transfers t on (t.tenant, t.transfer_id) = (h.tenant, h.transfer_id)
      where h.released_at is null and t.outcome is null) as held,
    (select count(*) from transfer_reconciliations r join transfers t on (t.tenant, t.transfer_id) = (r.tenant, r.transfer_id)
      where t.outcome is null and (r.found in ('told-final', 'reported', 'left')
        or r.resumed > 1 and r.found in ('resumed', 'started'))) as interrupted`;

const toUnresolved = (row: ClaimedRow): Unresolved => ({
  tenant: row.tenant,
  key: row.transfer_id,
  openedAt: row.opened_at,
  fence: row.fence,
  resumed: row.resumed,
  toldFinal: row.told_final,
  fingerprint: row.fingerprint,
  startedBy: { iss: row.started_by_iss, sub: row.started_by_sub },
  input: {
    transferId: row.transfer_id,
    from: row.payer_id,
    to: row.payee_id,
    amount: { currency: row.currency, minor: row.amount_minor.toString() },
    ...(row.reference === null ? {} : { reference: row.reference }),
    ...(row.requested_by === null ? {} : { requestedBy: row.requested_by }),
  },
});
