import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../src/database/database.ts';
import { Problem } from '../../src/problems.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { until } from '../harness/until.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../servers/database.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';
import { startCommitCutter } from './commit-cutter.ts';

describe.each(databaseKinds)('the database (%s)', (kind) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    await test.database.query('create table notes (id bigint primary key, body text not null)');
  });
  afterAll(() => test.close());

  const count = async (): Promise<bigint | undefined> =>
    (await test.database.query<{ count: bigint }>('select count(*) from notes'))[0]?.count;

  it('gives int8 as bigint, exactly, and takes it back', async () => {
    const rows = await test.database.query('select $1::bigint as big, 1::int as small', [9_007_199_254_740_993n]);
    expect(rows).toEqual([{ big: 9_007_199_254_740_993n, small: 1 }]);
  });

  it('commits what the work did and gives its answer', async () => {
    const before = await count();
    const answer = await test.database.transaction(async (tx) => {
      await tx.query("insert into notes values (1, 'kept')");
      return 'done';
    });
    expect(answer).toBe('done');
    expect(await count()).toBe((before ?? 0n) + 1n);
  });

  it('undoes everything when the work throws, and rejects with what it threw', async () => {
    const before = await count();
    const fault = new Error('no');
    const work = test.database.transaction(async (tx) => {
      await tx.query("insert into notes values (2, 'lost')");
      throw fault;
    });
    await expect(work).rejects.toBe(fault);
    expect(await count()).toBe(before);
  });

  it('undoes everything but the answer when the work rolls back', async () => {
    const before = await count();
    const answer = await test.database.transaction(async (tx) => {
      await tx.query("insert into notes values (3, 'lost')");
      tx.rollBack();
      return 'refused';
    });
    expect(answer).toBe('refused');
    expect(await count()).toBe(before);
  });

  it('rejects when the work hides a failed statement, since nothing is committed then', async () => {
    const work = test.database.transaction(async (tx) => {
      await tx.query("insert into notes values (4, 'lost')");
      await tx.query('select 1/0').catch(() => undefined);
    });
    await expect(work).rejects.toThrow('nothing was committed');
  });

  it('hands a violated constraint on as it is, and keeps working', async () => {
    const twice = () => test.database.query("insert into notes values (5, 'once')");
    await twice();
    await expect(twice()).rejects.toMatchObject({ code: '23505' });
    expect(await test.database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('gives up a statement that takes too long, and serves the next one', async () => {
    const slow = await test.database.query('select pg_sleep(6)').catch((error: unknown) => error);
    expect(slow instanceof Problem && slow.code).toBe('database-unavailable');
    await answersWithin(test, 5_000);
  });

  it('gives up a transaction that never ends, and serves the next one', async () => {
    const stalled = test.database.transaction(async (tx) => {
      await tx.query("insert into notes values (6, 'lost')");
      await new Promise(() => undefined);
    });
    await expect(stalled).rejects.toMatchObject({ code: 'database-unavailable' });
    expect(await test.database.query('select 1 from notes where id = 6')).toEqual([]);
  });

  it('answers a ping', async () => {
    await expect(test.database.ping(1_000)).resolves.toBeUndefined();
  });
});

describe('a database that is not there', () => {
  it.each([
    ['a server', 'postgres://nobody@127.0.0.1:1/nothing'],
    ['a socket', 'postgres://nobody@localhost/nothing?host=/nowhere'],
  ])('rejects everything as retryable, with no effect: %s', async (_, url) => {
    const database = connectDatabase({ url, poolMax: 1, logger: silentLogger });
    const attempts = [
      database.query('insert into notes values (1)'),
      database.transaction(async (tx) => tx.query('select 1')),
      database.ping(500),
    ];
    for (const attempt of attempts) {
      const failure = await attempt.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Problem);
      expect(failure).toMatchObject({ code: 'database-unavailable', kind: { retryable: true, effect: 'none' } });
      expect(failure).not.toHaveProperty('options.effect');
    }
    await database.close();
  });
});

describe.skipIf(postgresSkipReason() !== undefined)('a PostgreSQL in trouble', () => {
  let cluster: PostgresCluster;
  let url: string;
  beforeAll(async () => {
    cluster = await startPostgres();
    url = cluster.urlOf(await cluster.createDatabase());
    await withClient(url, (client) => client.query('create table notes (id bigint primary key)'));
  });
  afterAll(() => cluster.stop());

  const connect = (connectionString = url, poolMax = 4) =>
    connectDatabase({ url: connectionString, poolMax, logger: silentLogger });

  it('survives the death of a connection that is checked out, and of idle ones', async () => {
    const database = connect();
    const killAll = () =>
      withClient(url, (client) =>
        client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'portico'"),
      );
    const cut = database.transaction(async (tx) => {
      await tx.query('insert into notes values (1)');
      await killAll();
      await tx.query('insert into notes values (2)');
    });
    await expect(cut).rejects.toMatchObject({
      code: 'database-unavailable',
      options: { cause: expect.anything() as unknown },
    });
    await database.query('select 1');
    await killAll();
    await expect.poll(() => database.query('select count(*) from notes')).toEqual([{ count: 0n }]);
    await database.close();
  });

  it.concurrent('cuts a transaction that stalls, so that what it holds is free again', async () => {
    const cutter = await startCommitCutter(cluster.port);
    const database = connect(url.replace(`:${cluster.port}/`, `:${cutter.port}/`));
    let goOn = () => {};
    const stall = new Promise<void>((resolve) => (goOn = resolve));
    const stalled = database.transaction(async (tx) => {
      await tx.query('insert into notes values (3)');
      // The server hears nothing more, so that only the server itself can end the transaction.
      cutter.swallowEverything(true);
      await stall;
      await tx.query('select 1');
    });
    await expect(stalled).rejects.toMatchObject({ code: 'database-unavailable' });
    await until(
      () => isFree(url),
      (itIs) => itIs,
    );
    goOn();
    await database.close();
    cutter.close();
  });

  it.concurrent('gives connections to the lanes in turn, so that much in one does not hold up another', async () => {
    // Nobody loses patience, also on a slow machine.
    const database = connectDatabase({ url, poolMax: 1, connectTimeoutMs: 60_000, logger: silentLogger });
    const ended: string[] = [];
    const run = (lane: string) =>
      database
        .inLane(lane)
        .query('select pg_sleep(0.02)')
        .then(() => ended.push(lane));
    const many = Array.from({ length: 40 }, () => run('many'));
    await Promise.all([...many, run('few'), run('few')]);
    expect(ended.indexOf('few')).toBeLessThan(3);
    expect(ended.lastIndexOf('few')).toBeLessThan(5);
    await database.close();
  });

  it.concurrent('waits two seconds for a connection and no longer', async () => {
    const database = connect(url, 1);
    const startedAt = performance.now();
    const nested = database.transaction(() => database.query('select 1'));
    await expect(nested).rejects.toMatchObject({ code: 'database-unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
  });

  it.concurrent(
    'calls the effect of a writing statement unknown when its answer is lost, and of a reading one none',
    async () => {
      const cutter = await startCommitCutter(cluster.port);
      const database = connect(url.replace(`:${cluster.port}/`, `:${cutter.port}/`));
      await database.query('select 1');
      cutter.swallowEverything(true);
      const write = database.query('insert into notes values (7)').catch((error: unknown) => error);
      const read = database.query('select 1').catch((error: unknown) => error);
      const ping = database.ping(200).catch((error: unknown) => error);
      expect(await ping).toMatchObject({ code: 'database-unavailable' });
      expect(await write).toMatchObject({ code: 'database-unavailable', options: { effect: 'unknown' } });
      expect(await read).not.toHaveProperty('options.effect');
      cutter.swallowEverything(false);
      expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
      await database.close();
      cutter.close();
    },
  );
});

/** Whether nobody holds row 3, which a stalled transaction has inserted. */
const isFree = (url: string): Promise<boolean> =>
  withClient(url, async (client) => {
    await client.query("begin; set local lock_timeout = '10ms'");
    try {
      await client.query('insert into notes values (3)');
      return true;
    } catch {
      return false;
    } finally {
      await client.query('rollback');
    }
  });

async function answersWithin({ database }: TestDatabase, timeoutMs: number): Promise<void> {
  await expect
    .poll(() => database.query('select 1 as one').catch(() => []), { timeout: timeoutMs })
    .toEqual([{ one: 1 }]);
}
