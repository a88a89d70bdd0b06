import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { metricOf, openOutbox, type TestOutbox } from '../harness/outbox.ts';
import { until } from '../harness/until.ts';
import { problemOf, type RequestFault, startBatchReceiver } from '../servers/batch-receiver.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres } from '../servers/postgres.ts';

describe.skipIf(postgresSkipReason() !== undefined)('a relay', () => {
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

  async function receiver(options: Parameters<typeof startBatchReceiver>[0] = {}) {
    const started = await startBatchReceiver(options);
    onTestFinished(() => started.close());
    return started;
  }
  const finished = (count: number) =>
    until(
      () => outbox.statuses(),
      ({ done = 0, dead = 0 }) => done + dead === count,
    );

  it('begins with one row and sends more at a time with each answer', async () => {
    for (let n = 1; n <= 40; n += 1) await outbox.write({ key: `k${n}`, n });
    const portico = await receiver();
    outbox.relay(portico, { lanes: 1, batch: 20 });
    await finished(40);
    expect(portico.arrivals[0]?.items).toBe(1);
    expect(Math.max(...portico.arrivals.map(({ items }) => items))).toBeGreaterThan(8);
    expect(portico.findings).toEqual([]);
    expect((await outbox.rows())[0]).toMatchObject({ status: 'done', answer: { status: 202, id: 'instance-1' } });
  });

  it('hears of a row at once, also after its connection was lost', async () => {
    const portico = await receiver();
    const relay = outbox.relay(portico, { pollMs: 60_000 });
    const listeners = () =>
      outbox.query<{ pid: number }>(
        `select pid from pg_stat_activity where application_name = 'outbox-relay-listen' and datname = current_database()
          and query like 'listen%' and state = 'idle'`,
      );
    const [listener] = await until(listeners, ({ length }) => length === 1);
    await until(
      () => relay.health(),
      ({ isReady }) => isReady,
    );
    await outbox.write({ n: 1 });
    await finished(1);
    await outbox.query('select pg_terminate_backend($1)', [listener?.pid]);
    await outbox.write({ key: 'b', n: 2 });
    await finished(2);
  });

  it.each([
    ['a 401', { ...problemOf(401, 'unauthenticated', false) }, 'unauthorized'],
    ['a 403', { ...problemOf(403, 'forbidden', false) }, 'forbidden'],
    ['what no Portico says', { status: 404, body: '<html>', type: 'text/html' }, 'not-a-problem'],
    ['an unknown route', { ...problemOf(404, 'not-found', false) }, 'refused'],
    ['a request that was spoilt on its way', { ...problemOf(400, 'malformed-request', false) }, 'refused'],
  ])('pauses at %s, keeps every row, and goes on by itself', async (_, refusal, reason) => {
    let isRight = false;
    const renewals: boolean[] = [];
    const token = ({ renew }: { renew: boolean }) => {
      renewals.push(renew);
      return Promise.resolve('t');
    };
    const portico = await receiver({ refusal: () => (isRight ? undefined : refusal) });
    for (let n = 1; n <= 5; n += 1) await outbox.write({ key: `k${n}`, n });
    const relay = outbox.relay({ url: portico.url, token }, { longestProbeMs: 300 });
    await until(
      () => portico.requests(),
      (count) => count >= 3,
    );
    expect(relay.health()).toMatchObject({ isReady: false, paused: reason });
    expect(await metricOf(relay, 'relay_paused', { reason })).toBe(1);
    expect(await outbox.statuses()).toEqual({ pending: 5 });
    expect(renewals.slice(0, 2)).toEqual(reason === 'unauthorized' ? [false, true] : [false, false]);
    isRight = true;
    await finished(5);
    expect(await outbox.statuses()).toEqual({ done: 5 });
    await until(
      () => relay.health(),
      ({ isReady }) => isReady,
    );
    expect(await metricOf(relay, 'relay_paused')).toBe(0);
    expect(Math.max(...(await outbox.rows()).map(({ failures }) => failures))).toBe(0);
  });

  it('pauses at a row that its token may not send, and probes with that row', async () => {
    let isAllowed = false;
    const portico = await receiver({
      answerTo: ({ body }) =>
        body.n === 1 && !isAllowed ? problemOf(403, 'forbidden', false) : { status: 202, body: {} },
    });
    await outbox.write({ key: 'a', n: 1 });
    await outbox.write({ key: 'b', n: 2 });
    const relay = outbox.relay(portico, { longestProbeMs: 300 });
    await until(
      () => portico.arrivals.filter(({ n }) => n === 1).length,
      (count) => count > 2,
    );
    expect(relay.health().paused).toBe('forbidden');
    expect(portico.arrivals.every(({ n }) => n === 1)).toBe(true);
    isAllowed = true;
    await finished(2);
  });

  it('pauses while there is no token, and takes a new one without being started again', async () => {
    let token = '';
    const portico = await receiver({
      refusal: ({ headers }) =>
        headers.authorization === 'Bearer good' ? undefined : problemOf(403, 'forbidden', false),
    });
    await outbox.write({});
    const relay = outbox.relay(
      { url: portico.url, token: () => (token === '' ? Promise.reject(new Error('none')) : Promise.resolve(token)) },
      { longestProbeMs: 300 },
    );
    await until(
      () => relay.health(),
      ({ paused }) => paused === 'no-token',
    );
    token = 'weak';
    await until(
      () => relay.health(),
      ({ paused }) => paused === 'forbidden',
    );
    token = 'good';
    await finished(1);
    expect(await outbox.rows()).toMatchObject([{ status: 'done', failures: 0 }]);
  });

  it('blames no row for a token that does not come', async () => {
    const portico = await receiver();
    await outbox.write({});
    const token = () => new Promise<string>(() => undefined);
    const relay = outbox.relay({ url: portico.url, token }, { httpLimitMs: 200 });
    await until(
      () => relay.health(),
      ({ paused }) => paused === 'no-token',
    );
    expect(await outbox.rows()).toMatchObject([{ failures: 0 }]);
  });

  it('sends bodies as they are in the table', async () => {
    const texts: string[] = [];
    const portico = await receiver({ refusal: (_, text) => void texts.push(text) });
    const body = '{"n": 9007199254740993, "key": "k", "exact": 0.12345678901234567890}';
    await outbox.query(
      `insert into service.outbox (key, operation, instance_id, idempotency_key, body) values ('k', 'act"', 'x', 'i', $1)`,
      [body],
    );
    outbox.relay(portico);
    await finished(1);
    expect(texts).toEqual([`[{"operation":"act\\"","id":"x","idempotencyKey":"i","body":${body}}]`]);
  });

  it.each(['limit-reached', 'outcome-unknown'])('lets no row wait for others that are refused: %s', async (code) => {
    const portico = await receiver({
      answerTo: ({ body: { key } }) => (key === 'good' ? { status: 202, body: {} } : problemOf(503, code, true)),
    });
    for (let n = 101; n <= 130; n += 1) await outbox.write({ key: `k${n}`, n });
    await outbox.query('update service.outbox set failures = 3');
    outbox.relay(portico, { longestProbeMs: 300, longestMs: 300 });
    for (let n = 1; n <= 3; n += 1) {
      await outbox.write({ key: 'good', n });
      await until(
        () => outbox.statuses(),
        ({ done }) => done === n,
        { withinMs: 2_500 },
      );
    }
  });

  it('obeys the verdict of each row', async () => {
    const seen = new Map<number, number>();
    const portico = await receiver({
      answerTo: ({ body: { n = 0 } }) => {
        seen.set(n, (seen.get(n) ?? 0) + 1);
        const isFirst = seen.get(n) === 1;
        if (n === 1) return problemOf(422, 'idempotency-mismatch', false);
        if (n === 2) return problemOf(403, 'second-person-required', false);
        if (n === 3 && isFirst) return problemOf(503, 'overloaded', true, { retryAfterMs: 1_500 });
        if (n === 4 && isFirst) return problemOf(503, 'held-back', true);
        return { status: 202, body: { id: `i${n}` } };
      },
    });
    for (let n = 1; n <= 5; n += 1) await outbox.write({ key: `k${n}`, n });
    const relay = outbox.relay(portico);
    await finished(5);
    const rows = await outbox.rows();
    expect(rows.map(({ status }) => status)).toEqual(['dead', 'dead', 'done', 'done', 'done']);
    expect(rows.map(({ problem }) => problem?.code)).toEqual([
      'idempotency-mismatch',
      'second-person-required',
      undefined,
      undefined,
      undefined,
    ]);
    // What was held back was not tried.
    expect(rows.map(({ failures }) => failures)).toEqual([0, 0, 1, 0, 0]);
    const [first = NaN, second = NaN] = portico.arrivals.filter(({ n }) => n === 3).map(({ atMs }) => atMs);
    expect(second - first).toBeGreaterThanOrEqual(1_500);
    expect(await metricOf(relay, 'relay_rows_total', { result: 'dead' })).toBe(2);
  });

  it('finds the one row that spoils a request, and sends all others', async () => {
    const tooLarge = problemOf(413, 'body-too-large', false);
    const portico = await receiver({ refusal: (_, text) => (text.includes('"n": 5') ? tooLarge : undefined) });
    for (let n = 1; n <= 9; n += 1) await outbox.write({ key: `k${n}`, n });
    outbox.relay(portico);
    await finished(9);
    const dead = (await outbox.rows()).filter(({ status }) => status === 'dead');
    expect(dead.map(({ n, problem }) => [n, problem?.code])).toEqual([[5, 'body-too-large']]);
  });

  it('is hardly held up by a row that is never answered', async () => {
    const faultFor = (items: readonly { body: { n?: number } }[]): RequestFault | undefined =>
      items.some(({ body }) => body.n === 7) ? { how: 'hang', isApplied: false } : undefined;
    const portico = await receiver({ faultFor });
    for (let n = 1; n <= 300; n += 1) await outbox.write({ key: `k${n}`, n });
    outbox.relay(portico, { httpLimitMs: 250, leaseMs: 3_000, longestMs: 500, longestProbeMs: 300 });
    await finished(299);
    await until(
      () => portico.arrivals.filter(({ n }) => n === 7).length,
      (count) => count > 2,
    );
    const again = portico.arrivals.length - portico.arrivals.filter(({ n }) => n === 7).length - 299;
    const alone = portico.arrivals.filter(({ n, items }) => n === 7 && items === 1).length;
    console.info(
      `beside a row that is never answered, ${again} of 299 others were sent again; it went alone ${alone} times`,
    );
    // It shares at most two batches; from then on it goes alone.
    expect(again).toBeLessThanOrEqual(100);
    expect(alone).toBeGreaterThan(0);
    expect(portico.findings).toEqual([]);
  });

  it('gives up a row that no relay has come to the end of', async () => {
    const portico = await receiver();
    await outbox.write({ n: 1 });
    await outbox.write({ key: 'b', n: 2 });
    await outbox.query(
      `update service.outbox set started = case key when 'k' then 3 else 2 end, suspect = true, attempt = 3`,
    );
    outbox.relay(portico);
    await finished(2);
    expect(await outbox.rows()).toMatchObject([
      { status: 'dead', problem: { code: 'relay-never-finished' } },
      { status: 'done' },
    ]);
    expect(portico.arrivals.map(({ n }) => n)).toEqual([2]);
  });

  it('stops in time, and leaves the rows it could not end to the next', async () => {
    const portico = await receiver({ faultFor: () => ({ how: 'hang', isApplied: true }) });
    await outbox.write({});
    const relay = outbox.relay(portico, { stopLimitMs: 4_000 });
    await until(
      () => portico.open(),
      ({ length }) => length === 1,
    );
    const startedAt = performance.now();
    await relay.stop();
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect(await outbox.rows()).toMatchObject([{ status: 'pending', lockedBy: null }]);
    expect(portico.open()).toEqual([]);
  });

  it('leaves no claim behind that waits for a lock', async () => {
    const portico = await receiver();
    await outbox.write({});
    const client = await outbox.pool.connect();
    await client.query('begin');
    await client.query('lock table service.outbox in access exclusive mode');
    const relay = outbox.relay(portico);
    const isTold = until(
      () => relay.health(),
      ({ database }) => database === '55P03',
      { withinMs: 4_500 },
    );
    await isTold.finally(async () => {
      await client.query('rollback');
      client.release();
    });
    await finished(1);
    expect(await outbox.rows()).toMatchObject([{ status: 'done', attempt: 1 }]);
  });

  it('waits for its database and its table, and says so', async () => {
    const portico = await receiver();
    await outbox.query('alter schema service rename to elsewhere');
    const relay = outbox.relay(portico);
    const fault = await until(
      () => relay.health(),
      ({ database }) => database !== undefined,
    );
    expect(fault).toMatchObject({ isReady: false, database: '42P01' });
    await outbox.query('alter schema elsewhere rename to service');
    await outbox.write({});
    await finished(1);
    await until(
      () => relay.health(),
      ({ isReady }) => isReady,
    );
  });
});
