import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../harness/command.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';

const skipReason = postgresSkipReason();
const password = 'not-to-be-told';

describe.skipIf(skipReason !== undefined)('the command migrate', () => {
  let cluster: PostgresCluster;
  let url: string;
  let ownerUrl: string;

  beforeAll(async () => {
    cluster = await startPostgres();
    const database = await cluster.createDatabase();
    await withClient(cluster.urlOf('postgres'), async (client) => {
      await client.query('create role portico_owner login');
      await client.query('create role portico login');
      await client.query(`alter database ${database} owner to portico_owner`);
    });
    url = cluster.urlOf(database, `portico:${password}`);
    ownerUrl = cluster.urlOf(database, `portico_owner:${password}`);
  });
  afterAll(() => cluster.stop());

  const migrate = (environment: Readonly<Record<string, string>>, ...args: string[]) =>
    runProgram(['migrate', ...args], environment);

  it('makes the schema as its owner and gives the program its rights, also the second time', async () => {
    for (const _ of ['first', 'second']) {
      const { code, stdout } = await migrate({ DATABASE_URL: url, DATABASE_OWNER_URL: ownerUrl });
      expect(code).toBe(0);
      expect(stdout).toContain('the schema is up to date, and the role of the program has its rights');
      expect(stdout).not.toContain(password);
    }
    await withClient(url, async (client) => {
      expect((await client.query('select count(*)::int as count from transfers')).rows).toEqual([{ count: 0 }]);
      await expect(client.query('drop table transfers')).rejects.toThrow('must be owner');
    });
  });

  it('looks at no setting of a process that serves', async () => {
    const serving = { ROLE: 'api', PORT: 'none', DATABASE_URL: url, DATABASE_OWNER_URL: ownerUrl };
    expect((await migrate(serving)).code).toBe(0);
  });

  it.each([
    ['no database is named', {}, [], 'Set DATABASE_URL'],
    ['it is given arguments', {}, ['--force'], 'migrate takes no arguments'],
    ['nothing answers', { DATABASE_URL: `postgres://portico:${password}@127.0.0.1:1/portico` }, [], 'database'],
  ])('ends with 1 where %s, says why and tells no password', async (_, environment, args, expected) => {
    const { code, stdout, stderr } = await migrate(environment, ...args);
    expect(code).toBe(1);
    expect(stderr).toContain(expected);
    expect(stdout + stderr).not.toContain(password);
  });
});
