import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason, withClient } from '../../servers/postgres.ts';

const operations = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
/** The queries of a section of the operators' guide. */
function documented(heading: string): readonly string[] {
  const section = operations.split('\n## ').find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/```sql\n(.*?)\n```/gs)].map(([, sql]) => sql ?? '');
}

const transfers = 20_000;
const unresolved = 20;

// The planner reads tables from end to end where they are small, and the embedded database has no statistics of its own.
describe.skipIf(postgresSkipReason() !== undefined)('with many rows', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
    await withClient(test.url, async (client) => {
      for (const statement of history) await client.query(statement);
    });
  });
  afterAll(() => test.close());

  /** How the database would run a statement: the table or index of each step. */
  async function planOf(statement: string): Promise<string> {
    const rows = await test.database.query<{ 'QUERY PLAN': string }>(`explain ${statement}`);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  }

  it('the newest entries of an account are read in order from an index', async () => {
    for (const account of ['~clearing:EUR', 'customer-7']) {
      const plan = await planOf(
        `select seq, amount_minor from entries where tenant = 'acme' and account_id = '${account}'
         and seq < 30000 order by seq desc limit 50`,
      );
      expect(plan).toContain('Index Only Scan Backward using entries_in_order');
      expect(plan).not.toMatch(/Sort|Seq Scan/);
    }
  });

  it('the balance of an account is a sum over the index alone', async () => {
    const plan = await planOf(
      "select sum(amount_minor) from entries where tenant = 'acme' and account_id = '~suspense:EUR'",
    );
    expect(plan).toContain('Index Only Scan using entries_in_order');
  });

  it('numbers entries as they come', async () => {
    const rows = await test.database.query<{ is_ordered: boolean }>(
      'select bool_and(seq > before) as is_ordered from (select seq, lag(seq) over (order by ctid) as before from entries) e',
    );
    expect(rows).toEqual([{ is_ordered: true }]);
  });

  it('what is unresolved is found by an index that holds nothing else', async () => {
    const sweep = `select tenant, transfer_id from transfers
      where outcome is null and opened_at < now() - interval '1 minute' order by opened_at limit 100`;
    expect(await planOf(sweep)).toContain('Index Scan using transfers_unresolved');
  });

  it("the operators' query for unresolved money reads that index", async () => {
    const [query = ''] = documented('An instance was terminated');
    const plan = await planOf(query);
    expect(plan).toContain('transfers_unresolved');
    expect(plan).not.toContain('Seq Scan');
    expect(await test.database.query(query)).toHaveLength(unresolved);
  });

  it("the operators' other queries read no table from end to end", async () => {
    const queries = documented('Look into the ledger').map((query) => query.replaceAll("'alice'", "'customer-7'"));
    expect(queries).toHaveLength(3);
    for (const query of queries) {
      expect(await planOf(query)).not.toContain('Seq Scan');
      expect(await test.database.query(query)).not.toEqual([]);
    }
  });

  it('a program finds its rows by their keys', async () => {
    const key = "tenant = 'acme' and transfer_id = 'transfer-7'";
    const statements = [
      `select result from transfers where ${key} for update`,
      `select outcome from transfer_phases where ${key} and phase = 'reserve'`,
      "select exists (select from entries where tenant = 'acme' and posting_id = 'transfer/transfer-7/reserve')",
      "select balance_minor from accounts where tenant = 'acme' and account_id = 'customer-7' for no key update",
    ];
    for (const statement of statements) expect(await planOf(statement)).not.toContain('Seq Scan');
  });
});

/** Completed transfers of a thousand customers, written past the triggers, and a few that wait in clearing. */
const history = [
  "set session_replication_role = 'replica'",
  `insert into accounts (tenant, account_id, currency, kind, balance_minor)
   select 'acme', 'customer-' || n, 'EUR', 'customer', 0 from generate_series(0, 999) n`,
  `insert into transfers (tenant, transfer_id, payer_id, payee_id, currency, amount_minor, started_by_iss,
     started_by_sub, fingerprint, approval_required, opened_at, outcome, result, ended_at)
   select 'acme', 'transfer-' || n, 'customer-' || n % 1000, 'customer-' || (n + 1) % 1000, 'EUR', 5, 'i', 's', 'f1.a',
     false, now() - interval '1 day', outcome, case when outcome is not null then jsonb_build_object('outcome', outcome) end,
     case when outcome is not null then now() end
   from (select n, case when n >= ${unresolved} then 'completed' end as outcome
     from generate_series(0, ${transfers - 1}) n) t`,
  `insert into transfer_phases (tenant, transfer_id, phase, outcome, recorded_at)
   select tenant, transfer_id, 'reserve', 'reserved', opened_at from transfers`,
  `insert into transfer_phases (tenant, transfer_id, phase, outcome, recorded_at)
   select tenant, transfer_id, 'resolve', 'posted', opened_at from transfers where outcome is not null`,
  `insert into entries (tenant, posting_id, account_id, currency, amount_minor)
   select p.tenant, 'transfer/' || transfer_id || '/' || phase, leg.account_id, currency, leg.amount_minor
   from transfer_phases p join transfers t using (tenant, transfer_id) cross join lateral (values
     (case phase when 'reserve' then payer_id else payee_id end, case phase when 'reserve' then -5 else 5 end),
     ('~clearing:EUR', case phase when 'reserve' then 5 else -5 end)) leg (account_id, amount_minor)`,
  `insert into account_freezes (tenant, account_id, frozen, by_iss, by_sub)
   select tenant, account_id, f.frozen, 'i', 's' from accounts cross join (values (true), (false)) as f (frozen)`,
  "set session_replication_role = 'origin'",
  'vacuum analyze',
];
