import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInbox } from '../../src/adapters/inbox.ts';
import { createLedger } from '../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openTenant, openTransfer } from '../fixtures/opened-transfer.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { databaseKinds, openTestDatabase } from '../servers/database.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';

describe.each(databaseKinds)('migrations on %s', (kind) => {
  it('change nothing when they have run', async () => {
    const test = await openTestDatabase(kind);
    // The embedded database serves one client at a time, so each look is a connection of its own.
    async function look<T>(work: (database: Database) => Promise<T>): Promise<T> {
      const database = connectDatabase({ connection: test.connection, poolMax: 1, logger: silentLogger });
      try {
        return await work(database);
      } finally {
        await database.close();
      }
    }
    const readMigrations = (database: Database) =>
      database.query<{ name: string }>('select id, name, run_on from schema_migrations order by id');
    const before = await look(readMigrations);
    expect(before.map((row) => row.name)).toEqual(['0001_accounts', '0002_transfers', '0003_inbox']);
    const tenant = await look(openTenant);
    await migrate({ ownerConnection: test.connection, logger: silentLogger });
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

  const connectionOf = (database: string, role?: string) =>
    ({ kind: 'postgres', connectionString: cluster.urlOf(database, role) }) as const;

  it('is made once by many who start at the same time', async () => {
    const ownerConnection = connectionOf(await cluster.createDatabase());
    await Promise.all(Array.from({ length: 6 }, () => migrate({ ownerConnection, logger: silentLogger })));
    const rows = await withClient(ownerConnection.connectionString, (client) =>
      client.query('select name from schema_migrations'),
    );
    expect(rows.rowCount).toBe(3);
  });

  describe('with an owner and a role of the program', () => {
    let name: string;
    beforeAll(async () => {
      name = await cluster.createDatabase();
      await withClient(cluster.urlOf(name), (client) => client.query('grant all on schema public to schema_owner'));
      const ownerConnection = connectionOf(name, 'schema_owner');
      await migrate({ ownerConnection, grantTo: 'the program', logger: silentLogger });
    });

    const connectAsProgram = () =>
      connectDatabase({ connection: connectionOf(name, 'the%20program'), poolMax: 2, logger: silentLogger });

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
      await expect(database.query(statement)).rejects.toMatchObject({ code: '42501' });
      await database.close();
    });
  });
});
