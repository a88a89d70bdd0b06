import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInbox } from '../../src/adapters/inbox.ts';
import { grants } from '../../src/adapters/index.ts';
import { createLedger } from '../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../src/adapters/ledger/records.ts';
import { migrateDatabase } from '../../src/commands/migrate.ts';
import { connectDatabase, type Database } from '../../src/database/database.ts';
import type { Grants } from '../../src/database/grants.ts';
import { migrate } from '../../src/database/migrate.ts';
import { checkSchema } from '../../src/database/schema.ts';
import { openTenant, openTransfer } from '../fixtures/opened-transfer.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { databaseKinds, openTestDatabase } from '../servers/database.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';

const migrations = readdirSync(new URL('../../src/database/migrations', import.meta.url))
  .map((file) => file.replace(/\.sql$/, ''))
  .sort();

it('migrations are named by the UTC time in seconds, those before that rule by a number', () => {
  const rule = /^(000[1-3]|20\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d){2})(_[a-z0-9]+)+$/;
  expect(migrations.filter((name) => !rule.test(name))).toEqual([]);
});

describe.each(databaseKinds)('migrations on %s', (kind) => {
  it('change nothing when they have run', async () => {
    const test = await openTestDatabase(kind);
    // The embedded database serves one client at a time, so each look is a connection of its own.
    async function look<T>(work: (database: Database) => Promise<T>): Promise<T> {
      const database = connectDatabase({ url: test.url, poolMax: 1, logger: silentLogger });
      try {
        return await work(database);
      } finally {
        await database.close();
      }
    }
    const readMigrations = (database: Database) =>
      database.query<{ name: string }>('select id, name, run_on from schema_migrations order by id');
    const before = await look(readMigrations);
    expect(before.map((row) => row.name)).toEqual(migrations);
    const tenant = await look(openTenant);
    await migrate({ ownerUrl: test.url, logger: silentLogger });
    expect(await look(readMigrations)).toEqual(before);
    const accounts = await look((database) => database.query('select 1 from accounts where tenant = $1', [tenant]));
    expect(accounts).toHaveLength(5);
    await test.close();
  });
});

describe.skipIf(postgresSkipReason() !== undefined)('the schema on PostgreSQL', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
    await withClient(cluster.urlOf('postgres'), async (client) => {
      await client.query('create role schema_owner login');
      await client.query('create role "the program" login');
    });
  });
  afterAll(() => cluster.stop());

  it('is made once by many who start at the same time', async () => {
    const ownerUrl = cluster.urlOf(await cluster.createDatabase());
    await Promise.all(Array.from({ length: 6 }, () => migrate({ ownerUrl, logger: silentLogger })));
    const rows = await withClient(ownerUrl, (client) => client.query('select name from schema_migrations'));
    expect(rows.rowCount).toBe(migrations.length);
  });

  it('keeps the rights of its owner where the program uses the same role by another URL', async () => {
    const name = await cluster.createDatabase();
    await withClient(cluster.urlOf(name), (client) => client.query('grant all on schema public to schema_owner'));
    const ownerUrl = cluster.urlOf(name, 'schema_owner');
    const url = `${ownerUrl}&application_name=pooled`;
    for (const _ of [1, 2]) await migrateDatabase({ url, ownerUrl, logger: silentLogger });
    // As the next migration will.
    await withClient(ownerUrl, (client) =>
      client.query("insert into schema_migrations (name, run_on) values ('99991231235959_next', now())"),
    );
  });

  it('is not left to a program that uses another database', async () => {
    const [name, other] = [await cluster.createDatabase(), await cluster.createDatabase()];
    const migration = migrateDatabase({
      url: cluster.urlOf(other, 'the%20program'),
      ownerUrl: cluster.urlOf(name),
      logger: silentLogger,
    });
    await expect(migration).rejects.toThrow(/the schema was not migrated, or not for this role/);
  });

  describe('with an owner and a role of the program', () => {
    let name: string;
    beforeAll(async () => {
      name = await cluster.createDatabase();
      await withClient(cluster.urlOf(name), (client) => client.query('grant all on schema public to schema_owner'));
      const ownerUrl = cluster.urlOf(name, 'schema_owner');
      await migrate({ ownerUrl, program: { role: 'the program', grants }, logger: silentLogger });
    });

    const connectAsProgram = () =>
      connectDatabase({ url: cluster.urlOf(name, 'the%20program'), poolMax: 2, logger: silentLogger });

    /** Each privilege of the program as `table: PRIVILEGE`, or `table.column: PRIVILEGE` where it has no more. */
    const privilegesInDatabase = () =>
      withClient(cluster.urlOf(name), async (client) => {
        const { rows } = await client.query<{ privilege: string }>(
          `with whole as (
             select table_name, privilege_type from information_schema.table_privileges where grantee = 'the program'
           )
           select table_name || ': ' || privilege_type as privilege from whole
           union all
           select table_name || '.' || column_name || ': ' || privilege_type
           from information_schema.column_privileges c
           where grantee = 'the program' and not exists (
             select 1 from whole w where (w.table_name, w.privilege_type) = (c.table_name, c.privilege_type)
           )`,
        );
        return rows.map(({ privilege }) => privilege).sort();
      });
    const declared = Object.entries<Grants[string]>({ ...grants, schema_migrations: ['select'] })
      .flatMap(([table, privileges]) =>
        privileges.flatMap((privilege) =>
          typeof privilege === 'string'
            ? [`${table}: ${privilege.toUpperCase()}`]
            : privilege.update.map((column) => `${table}.${column}: UPDATE`),
        ),
      )
      .sort();

    it('grants what the adapters declare, and nothing else', async () => {
      expect(declared.length).toBeGreaterThan(10);
      expect(await privilegesInDatabase()).toEqual(declared);
    });

    it('revokes what was granted otherwise, also on a table that no adapter knows, and leaves the tables of others', async () => {
      await withClient(cluster.urlOf(name), async (client) => {
        await client.query('create table others (id int); create table unknown (id int, note text)');
        await client.query('alter table unknown owner to schema_owner');
        await client.query('grant all on unknown to "the program"; grant update (note) on unknown to "the program"');
        await client.query('grant delete, truncate on entries to "the program"');
        await client.query('grant update (currency) on accounts to "the program"');
      });
      expect(await privilegesInDatabase()).not.toEqual(declared);
      const ownerUrl = cluster.urlOf(name, 'schema_owner');
      await migrate({ ownerUrl, program: { role: 'the program', grants }, logger: silentLogger });
      expect(await privilegesInDatabase()).toEqual(declared);
    });

    it('leaves the tables of other owners alone, also where the owner of the schema is a superuser', async () => {
      const superuserUrl = cluster.urlOf(await cluster.createDatabase());
      await withClient(superuserUrl, async (client) => {
        await client.query('create table others (id int)');
        await client.query('alter table others owner to schema_owner; grant select on others to "the program"');
      });
      await migrate({ ownerUrl: superuserUrl, program: { role: 'the program', grants }, logger: silentLogger });
      const { rows } = await withClient(superuserUrl, (client) =>
        client.query(
          "select privilege_type from information_schema.table_privileges where table_name = 'others' and grantee = 'the program'",
        ),
      );
      expect(rows).toEqual([{ privilege_type: 'SELECT' }]);
    });

    it('changes no grants on a schema that a newer release has migrated', async () => {
      const ownerUrl = cluster.urlOf(name, 'schema_owner');
      await withClient(ownerUrl, async (client) => {
        await client.query("insert into schema_migrations (name, run_on) values ('99991231235959_newer', now())");
        await client.query('create table newer (id int); grant select on newer to "the program"');
      });
      await migrate({ ownerUrl, program: { role: 'the program', grants }, logger: silentLogger });
      expect(await privilegesInDatabase()).toEqual([...declared, 'newer: SELECT'].sort());
      await withClient(ownerUrl, async (client) => {
        await client.query("delete from schema_migrations where name = '99991231235959_newer'; drop table newer");
      });
    });

    it('is good for the program, also where a newer release has migrated it, until something is missing', async () => {
      const database = connectAsProgram();
      const check = () => checkSchema(database, grants);
      const asOwner = (sql: string) => withClient(cluster.urlOf(name, 'schema_owner'), (client) => client.query(sql));
      await check();
      await asOwner("insert into schema_migrations (name, run_on) values ('99991231235959_newer', now())");
      await check();
      await asOwner("delete from schema_migrations where name = '99991231235959_newer'");
      for (const [lose, restore, reason] of [
        [
          'revoke insert on entries from "the program"',
          'grant insert on entries to "the program"',
          'may not insert entries',
        ],
        [
          'revoke update (approved_at) on transfers from "the program"',
          'grant update (approved_at) on transfers to "the program"',
          'may not update transfers.approved_at',
        ],
        [
          'alter table accounts rename column opened_at to gone',
          'alter table accounts rename column gone to opened_at',
          'may not update accounts.opened_at',
        ],
        [
          'alter table discounts rename to gone',
          'alter table gone rename to discounts',
          'may not select discounts, insert discounts',
        ],
        [
          "update schema_migrations set name = 'gone' where name = '0003_inbox'",
          "update schema_migrations set name = '0003_inbox' where name = 'gone'",
          'the schema lacks 0003_inbox',
        ],
      ] as const) {
        await asOwner(lose);
        await expect(check(), lose).rejects.toThrow(reason);
        await asOwner(restore);
        await check();
      }
      await database.close();
    });

    it('is granted by many who start at the same time', async () => {
      const ownerUrl = cluster.urlOf(name, 'schema_owner');
      const program = { role: 'the program', grants };
      await Promise.all(Array.from({ length: 8 }, () => migrate({ ownerUrl, program, logger: silentLogger })));
      expect(await privilegesInDatabase()).toEqual(declared);
    });

    it('lets the program do all it needs', async () => {
      const database = connectAsProgram();
      const tenant = await openTenant(database);
      const ledger = createLedger(database);
      const records = createTransferRecords(database);
      const key = await openTransfer(database, tenant, { approvalRequired: true });
      await records.recordApproval({ ...key, by: { iss: 'i', sub: 's' } });
      expect((await ledger.withdraw(key)).kind).toBe('reserved');
      expect((await ledger.deposit(key)).kind).toBe('posted');
      await records.endTransfer({ ...key, result: { outcome: 'completed' } });
      const poor = await openTransfer(database, tenant, { transferId: 'poor', amountMinor: 5_000n });
      expect((await ledger.withdraw(poor)).kind).toBe('rejected');
      const back = await openTransfer(database, tenant, { transferId: 'back' });
      await ledger.withdraw(back);
      expect((await ledger.refund(back)).kind).toBe('refunded');
      const inbox = createInbox(database);
      const grant = { tenant, userId: 'u', generation: 1, kind: 'k' };
      expect((await inbox.sendMessage({ ...grant, title: 't', body: 'b' })).kind).toBe('created');
      expect((await inbox.grantDiscount({ ...grant, percent: 5 })).kind).toBe('created');
      expect((await inbox.listMessages({ ...grant, limit: 5 })).items).toHaveLength(1);
      await database.close();
    });

    it.each([
      'update entries set amount_minor = 1',
      'delete from entries',
      'truncate entries',
      'alter table entries disable trigger all',
      'drop table entries',
      'delete from accounts',
      "update accounts set currency = 'USD'",
      'delete from transfers',
      'update transfers set amount_minor = 1',
      'delete from transfer_phases',
      "update transfer_phases set phase = 'resolve'",
      "update messages set body = ''",
      'delete from discounts',
      'delete from schema_migrations',
      'create table mine (id int)',
    ])('does not let the program %s', async (statement) => {
      const database = connectAsProgram();
      await expect(database.query(statement)).rejects.toMatchObject({ cause: { code: '42501' } });
      await database.close();
    });
  });
});
