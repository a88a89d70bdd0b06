import { withClient } from '../../test/servers/postgres.ts';

/** Transfers in one transaction: more would leave more dead versions of the account's row than each one has to pass by. */
const together = 250;

/** Entries that a refunded transfer leaves on its payer's account. */
const each = 2;

interface Account {
  readonly tenant: string;
  readonly id: string;
  readonly payee: string;
  readonly entries: number;
}

/**
 * Books so many entries on an account by refunded transfers, each of one minor unit, and gives how many entries it has
 * then. The role of the program does it: every trigger and every constraint of the ledger is in force.
 */
export async function layEntries(
  { databaseUrl, ownerUrl }: { readonly databaseUrl: string; readonly ownerUrl: string },
  account: Account,
): Promise<number> {
  const wanted = Math.floor(account.entries / each);
  return await withClient(databaseUrl, async (client) => {
    for (let first = 1; first <= wanted;) {
      const last = Math.min(wanted, first * 10);
      await client.query(statementOf(account, { first, last, text: (value) => client.escapeLiteral(value) }));
      // The plans of triggers were made for fewer rows. Statistics let PostgreSQL make them anew, as it does by itself later.
      await withClient(ownerUrl, (owner) => owner.query('analyze transfers, transfer_phases, entries, accounts'));
      first = last + 1;
    }
    const { rows } = await client.query<{ count: string }>(
      'select count(*) from entries where tenant = $1 and account_id = $2',
      [account.tenant, account.id],
    );
    return Number(rows[0]?.count);
  });
}

const statementOf = (
  { tenant, id, payee }: Account,
  { first, last, text }: { first: number; last: number; text: (value: string) => string },
): string => `
  do $$
  declare
    of_tenant constant text := ${text(tenant)};
    payer constant text := ${text(id)};
    at integer;
    ids text[];
  begin
    for at in select generate_series(${first}, ${last}, ${together}) loop
      select array_agg(payer || '-' || n) into ids from generate_series(at, least(at + ${together - 1}, ${last})) n;
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
  end $$`;
