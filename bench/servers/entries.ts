import { withClient } from '../../test/servers/postgres.ts';

/** Transfers in one transaction: more would leave more dead versions of the account's row than each one has to pass by. */
const together = 250;

/** Entries that a refunded transfer leaves on its payer's account. */
const each = 2;

/**
 * Books so many entries on an account by refunded transfers, each of one minor unit, and gives how many entries it has
 * then. One statement does it as the role of the program: every trigger and every constraint of the ledger is in force.
 */
export async function layEntries(
  databaseUrl: string,
  account: { readonly tenant: string; readonly id: string; readonly payee: string; readonly entries: number },
): Promise<number> {
  const { tenant, id, payee, entries } = account;
  return await withClient(databaseUrl, async (client) => {
    const text = (value: string) => client.escapeLiteral(value);
    await client.query(`
      do $$
      declare
        of_tenant constant text := ${text(tenant)};
        payer constant text := ${text(id)};
        wanted constant integer := ${Math.floor(entries / each)};
        first integer;
        ids text[];
      begin
        for first in select generate_series(1, wanted, ${together}) loop
          select array_agg(payer || '-' || n) into ids
            from generate_series(first, least(first + ${together - 1}, wanted)) n;
          insert into transfers (tenant, transfer_id, payer_id, payee_id, currency, amount_minor, started_by_iss,
            started_by_sub, fingerprint, approval_required)
          select of_tenant, id, payer, ${text(payee)}, 'EUR', 1, 'bench', 'bench', '', false from unnest(ids) id;
          insert into transfer_phases (tenant, transfer_id, phase, outcome)
          select of_tenant, id, phase, outcome from unnest(ids) id,
            (values ('reserve', 'reserved'), ('resolve', 'refunded')) as step (phase, outcome);
          insert into entries (tenant, posting_id, account_id, currency, amount_minor)
          select of_tenant, 'transfer/' || id || '/' || phase, account_id, 'EUR', amount from unnest(ids) id,
            (values ('reserve', payer, -1), ('reserve', '~clearing:EUR', 1),
              ('resolve', '~clearing:EUR', -1), ('resolve', payer, 1)) as leg (phase, account_id, amount);
          update transfers set outcome = 'cancelled', result = '{"outcome":"cancelled"}', ended_at = now()
          where tenant = of_tenant and transfer_id = any (ids);
          commit;
        end loop;
      end $$`);
    const { rows } = await client.query<{ count: string }>(
      'select count(*) from entries where tenant = $1 and account_id = $2',
      [tenant, id],
    );
    return Number(rows[0]?.count);
  });
}
