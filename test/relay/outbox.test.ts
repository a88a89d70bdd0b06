import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { discardDead, listDead, migrateOutbox, replayDead } from '../../relay/dead-letters.ts';
import { createOutbox, type OutboxRow } from '../../relay/outbox.ts';
import { openOutbox, type TestOutbox } from '../harness/outbox.ts';
import { until } from '../harness/until.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres } from '../servers/postgres.ts';

describe.skipIf(postgresSkipReason() !== undefined)('the outbox', () => {
  let cluster: PostgresCluster;
  let outbox: TestOutbox;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    outbox = await openOutbox(cluster);
  });
  afterEach(() => outbox.close());

  const numbers = (rows: readonly OutboxRow[]) => rows.map(({ body }) => (JSON.parse(body) as { n: number }).n);
  const others = { limit: 10, suspects: false };
  const suspects = { limit: 10, suspects: true };
  const done = (rows: readonly OutboxRow[]) =>
    rows.map((row) => ({ row, end: { kind: 'done', answer: { status: 202 } } as const }));
  const dead = (rows: readonly OutboxRow[]) =>
    rows.map((row) => ({ row, end: { kind: 'dead', problem: { code: 'no' } } as const }));

  it('gives out the first row of each key alone, and the next once it has ended', async () => {
    for (const [key, n] of [
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ] as const)
      await outbox.write({ key, n });
    const relay = outbox.statements('one');
    const first = await relay.claim(others);
    expect(numbers(first)).toEqual([1, 3]);
    expect(numbers(await relay.claim(others))).toEqual([]);
    await relay.end(done(first));
    expect(numbers(await relay.claim(others))).toEqual([2]);
  });

  it('orders rows of one key by their commits, however their transactions overlap', async () => {
    const [slow, fast] = [await outbox.pool.connect(), await outbox.pool.connect()];
    await slow.query('begin');
    await fast.query('begin');
    // This transaction has its snapshot and its id first, but writes the key second.
    await outbox.write({ key: 'other', n: 9 }, slow);
    await outbox.write({ key: 'a', n: 1 }, fast);
    let isOver = false;
    const second = outbox
      .write({ key: 'a', n: 2 }, slow)
      .then(() => slow.query('commit'))
      .finally(() => (isOver = true));
    const waiting = () => outbox.query(`select 1 from pg_locks where locktype = 'advisory' and not granted`);
    await until(waiting, ({ length }) => length === 1 || isOver);
    await fast.query('commit');
    await second;
    slow.release();
    fast.release();
    const rows = await outbox.query<{ n: number }>(
      `select (body->>'n')::int as n from service.outbox where key = 'a' order by position`,
    );
    expect(rows.map(({ n }) => n)).toEqual([1, 2]);
  });

  it('gives out a row that commits after one with a later id was done', async () => {
    const slow = await outbox.pool.connect();
    await slow.query('begin');
    await outbox.write({ key: 'a', n: 1 }, slow);
    await outbox.write({ key: 'b', n: 2 });
    const relay = outbox.statements('one');
    await relay.end(done(await relay.claim(others)));
    await slow.query('commit');
    slow.release();
    expect(numbers(await relay.claim(others))).toEqual([1]);
  });

  it('never gives one row to two at the same time, and none of one key', async () => {
    for (let n = 1; n <= 60; n += 1) await outbox.write({ key: `k${n % 30}`, n });
    const relays = ['one', 'two', 'three', 'four'].map((id) => outbox.statements(id));
    const claims = await Promise.all(relays.map((relay) => relay.claim({ limit: 20, suspects: false })));
    const keys = claims.flat().map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(20);
  });

  it('takes no end from a relay whose lease is over and whose row another has', async () => {
    await outbox.write({});
    const [late, next] = [outbox.statements('late', { leaseMs: 1 }), outbox.statements('next')];
    const held = await late.claim(others);
    const taken = await until(
      () => next.claim(suspects),
      ({ length }) => length === 1,
    );
    expect(taken[0]).toMatchObject({ attempt: 2, started: 2, isTakenOver: true });
    expect(await late.end(done(held))).toEqual(new Set());
    expect(await outbox.rows()).toMatchObject([{ status: 'pending', lockedBy: 'next' }]);
    expect((await next.end(done(taken))).size).toBe(1);
  });

  it('takes no end from an earlier claim of the same relay', async () => {
    await outbox.write({});
    const relay = outbox.statements('one', { leaseMs: 1 });
    const held = await relay.claim(others);
    await until(
      () => relay.claim(suspects),
      ({ length }) => length === 1,
    );
    expect(await relay.end(done(held))).toEqual(new Set());
  });

  it('sets apart what was begun without an end, and what it came to an end with no more', async () => {
    await outbox.write({});
    const relay = outbox.statements('one', { leaseMs: 1 });
    await relay.claim(others);
    const alone = await until(
      () => relay.claim(suspects),
      ({ length }) => length === 1,
    );
    expect(alone).toMatchObject([{ started: 2 }]);
    const end = { kind: 'again', waitMs: 0, failures: 0, isSuspect: false } as const;
    await relay.end(alone.map((row) => ({ row, end })));
    expect(await relay.claim(suspects)).toEqual([]);
    expect(await relay.claim(others)).toMatchObject([{ started: 1 }]);
  });

  it('lets later rows of a key pass a dead one, or has them wait, as it is told', async () => {
    await outbox.write({ n: 1 });
    await outbox.write({ n: 2 });
    const [passing, blocking] = [outbox.statements('p'), outbox.statements('b', { deadLetters: 'block' })];
    await passing.end(dead(await passing.claim(others)));
    expect(await blocking.claim(others)).toEqual([]);
    // Relays that are told otherwise than those before find what these have set aside.
    await passing.wakeMissed();
    expect(numbers(await passing.claim(others))).toEqual([2]);
  });

  it('replays a dead row as the last of its key, once', async () => {
    await outbox.write({ n: 1 });
    await outbox.write({ n: 2 });
    const relay = outbox.statements('one');
    await relay.end(dead(await relay.claim(others)));
    const place = { url: outbox.url, schema: outbox.schema };
    const [letter] = await listDead(place, { limit: 10 });
    expect(letter).toMatchObject({ key: 'k', operation: 'startThing', problem: { code: 'no' } });
    expect(JSON.stringify(letter)).not.toContain('"n"');
    const id = letter?.id ?? '';
    expect(await replayDead(place, { id, deadLetters: 'pass' })).toBe(true);
    expect(await replayDead(place, { id, deadLetters: 'pass' })).toBe(false);
    const second = await relay.claim(others);
    expect(numbers(second)).toEqual([2]);
    await relay.end(done(second));
    expect(numbers(await relay.claim({ limit: 10, suspects: true }))).toEqual([1]);
  });

  it.each([
    ['the refused action, under a new key', { instanceId: 'x' }, { code: 'action-not-allowed', effect: 'none' }, true],
    ['the action that may have had its effect', { instanceId: 'x' }, { code: 'no', effect: 'unknown' }, false],
    ['the action that nobody judged', { instanceId: 'x' }, { code: 'relay-never-finished', effect: 'none' }, false],
    ['the refused start', {}, { code: 'not-configured', effect: 'none' }, false],
  ])('replays %s', async (_, written, problem, isNew) => {
    await outbox.write(written);
    await outbox.query(`update service.outbox set idempotency_key = 'i'`);
    const relay = outbox.statements('one');
    const rows = await relay.claim(others);
    await relay.end(rows.map((row) => ({ row, end: { kind: 'dead', problem } })));
    await replayDead({ url: outbox.url, schema: outbox.schema }, { id: rows[0]?.id ?? '', deadLetters: 'pass' });
    const [again] = await relay.claim(suspects);
    expect(again?.idempotencyKey).toMatch(isNew ? /^[0-9a-f-]{36}$/ : /^i$/);
  });

  it('replays a dead row in its place where dead rows block their key, and forgets it when told', async () => {
    await outbox.write({ n: 1 });
    await outbox.write({ n: 2 });
    const relay = outbox.statements('one', { deadLetters: 'block' });
    await relay.end(dead(await relay.claim(others)));
    const place = { url: outbox.url, schema: outbox.schema };
    const id = (await listDead(place, { limit: 1 }))[0]?.id ?? '';
    expect(await replayDead(place, { id, deadLetters: 'block' })).toBe(true);
    expect(await discardDead(place, id)).toBe(false);
    const again = await relay.claim({ limit: 1, suspects: true });
    expect(numbers(again)).toEqual([1]);
    await relay.end(dead(again));
    expect(await discardDead(place, id)).toBe(true);
    expect(numbers(await relay.claim(others))).toEqual([2]);
  });

  it('removes rows that ended long ago, a few at a time, and no others', async () => {
    for (let n = 1; n <= 4; n += 1) await outbox.write({ key: `k${n}`, n });
    const relay = outbox.statements('one');
    await relay.end(done(await relay.claim({ limit: 3, suspects: false })));
    await outbox.query(
      `update service.outbox set finished_at = now() - interval '8 days' where body->>'n' <> '3' and status = 'done'`,
    );
    const week = { olderThanMs: 7 * 86_400_000, limit: 1 };
    expect([await relay.remove('done', week), await relay.remove('done', week)]).toEqual([1, 1]);
    expect(await relay.remove('done', week)).toBe(0);
    expect((await outbox.rows()).map(({ n }) => n)).toEqual([3, 4]);
  });

  /** How many pages a claim reads, after those that set rows aside. */
  async function pagesOf(limit: number): Promise<number> {
    let claim: [string, unknown[]] | undefined;
    const query = (...given: [string, unknown[]]) => {
      claim = given;
      return Promise.resolve({ rows: [] });
    };
    const options = { pool: { query }, schema: 'service', relayId: 'x', leaseMs: 1, deadLetters: 'pass' } as const;
    await createOutbox(options as never).claim({ limit, suspects: false });
    const [text, values] = claim ?? ['', []];
    const [explained] = await outbox.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) ${text}`,
      values,
    );
    const plan = explained?.['QUERY PLAN'][0].Plan;
    return (plan?.['Shared Hit Blocks'] ?? NaN) + (plan?.['Shared Read Blocks'] ?? NaN);
  }

  it('claims at the cost of what it claims, whatever is finished', async () => {
    const limit = 40;
    for (let n = 1; n <= limit; n += 1) await outbox.write({ key: `k${n}`, n });
    const before = await pagesOf(limit);
    await outbox.query(
      'update service.outbox set locked_by = null, lease_until = null, next_attempt_at = now(), started = 0, suspect = false',
    );
    await outbox.query(`alter table service.outbox disable trigger user`);
    await outbox.query(`insert into service.outbox (key, operation, position, status, finished_at)
      select 'd' || n, 'startThing', n, 'done', now() from generate_series(1, 100000) n`);
    await outbox.query(`alter table service.outbox enable trigger user`);
    await outbox.query('analyze service.outbox');
    const [{ pages } = { pages: 0 }] = await outbox.query<{ pages: number }>(
      `select pg_relation_size('service.outbox')::int / 8192 as pages`,
    );
    const after = await pagesOf(limit);
    console.info(`a claim of ${limit} rows reads ${before} pages, and ${after} of ${pages} with 100,000 done rows`);
    expect(before).toBeGreaterThan(limit);
    expect(after).toBeLessThan(pages / 2);
    expect(after).toBeLessThan(5 * before);
  });

  it('claims at the cost of what it claims, whatever waits behind the first of a key', async () => {
    await outbox.query(`insert into service.outbox (key, operation)
      select 'long', 'startThing' from generate_series(1, 10000)`);
    await outbox.query(`update service.outbox set next_attempt_at = now() + interval '1 h' where id = 1`);
    await outbox.query('vacuum analyze service.outbox');
    const relay = outbox.statements('one');
    expect(await relay.claim(others)).toEqual([]);
    expect(await outbox.query(`select from service.outbox where next_attempt_at < 'infinity'`)).toHaveLength(1);
    await outbox.query('vacuum service.outbox');
    await outbox.write({ key: 'other', n: 7 });
    const pages = await pagesOf(10);
    console.info(`a claim reads ${pages} pages with 9,999 rows that wait behind another`);
    expect(pages).toBeLessThan(100);
  });

  it('finds what waits behind a row that is gone', async () => {
    for (const n of [1, 2, 3]) await outbox.write({ n });
    const relay = outbox.statements('one');
    await relay.claim(others);
    await outbox.query(`delete from service.outbox where body->>'n' = '1'`);
    expect(await relay.claim(others)).toEqual([]);
    expect(await relay.wakeMissed()).toBe(1);
    expect(numbers(await relay.claim(others))).toEqual([2]);
    expect(await relay.wakeMissed()).toBe(0);
  });

  it('never sets aside what waits for nobody, however ends and claims meet', async () => {
    for (let n = 1; n <= 240; n += 1) await outbox.write({ key: `k${n % 4}`, n });
    const seen: number[] = [];
    const work = async (relay: ReturnType<TestOutbox['statements']>) => {
      for (let isIdle = 0; isIdle < 40; isIdle += 1) {
        const rows = await relay.claim({ limit: 2, suspects: false });
        seen.push(...numbers(rows));
        await relay.end(done(rows));
        if (rows.length > 0) isIdle = 0;
      }
    };
    await Promise.all(['one', 'two', 'three', 'four'].map((id) => work(outbox.statements(id))));
    expect(seen).toHaveLength(240);
    for (let key = 0; key < 4; key += 1) {
      const ofKey = seen.filter((n) => n % 4 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });

  it('has a schema that may be applied again and again, beside another', async () => {
    await outbox.write({ n: 1 });
    await migrateOutbox({ url: outbox.url, schema: 'service' });
    await Promise.all(['second', 'second'].map((schema) => migrateOutbox({ url: outbox.url, schema })));
    await outbox.query(`insert into second.outbox (key, operation) values ('k', 'startThing')`);
    expect(await outbox.query(`select position from second.outbox`)).toEqual([{ position: '1' }]);
    expect(await outbox.rows()).toMatchObject([{ n: 1, status: 'pending' }]);
  });

  it('lets a service write with no other right than to insert', async () => {
    const role = `writer_${crypto.randomUUID().slice(0, 8)}`;
    await outbox.query(`create role ${role}`);
    await outbox.query(`grant usage on schema service to ${role}`);
    await outbox.query(
      `grant insert (key, operation, instance_id, idempotency_key, body) on service.outbox to ${role}`,
    );
    const client = await outbox.pool.connect();
    await client.query(`set role ${role}`);
    await outbox.write({ n: 5, instanceId: 'x' }, client);
    await expect(client.query(`update service.outbox set status = 'done'`)).rejects.toThrow('permission denied');
    await client.query('reset role');
    client.release();
    // An action is repeated under a key of its own.
    const [row] = await outbox.query<{ idempotency_key: string }>('select idempotency_key from service.outbox');
    expect(row?.idempotency_key).toMatch(/^[0-9a-f-]{36}$/);
  });
});
