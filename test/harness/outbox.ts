import pg from 'pg';
import { Registry } from 'prom-client';
import { migrateOutbox } from '../../relay/dead-letters.ts';
import type { RelayTuning } from '../../relay/options.ts';
import { createOutbox } from '../../relay/outbox.ts';
import { createRelay, type Relay } from '../../relay/relay.ts';
import { fixedToken, type TokenSource } from '../../relay/token.ts';
import type { PostgresCluster } from '../servers/postgres.ts';
import { silentLogger } from './silent-logger.ts';

interface Written {
  readonly key?: string;
  readonly n?: number;
  readonly operation?: string;
  readonly instanceId?: string;
}

/** An outbox in a database of its own, and relays in this process that read it. */
export async function openOutbox(cluster: PostgresCluster) {
  const url = cluster.urlOf(await cluster.createDatabase());
  const schema = 'service';
  await migrateOutbox({ url, schema });
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  pool.on('error', () => undefined);
  const relays: Relay[] = [];
  const insert = `insert into service.outbox (key, operation, instance_id, body) values ($1, $2, $3, $4)`;

  return {
    url,
    schema,
    pool,
    async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      return (await pool.query<Row>(text, [...values])).rows;
    },
    /** Writes one row, by `client` in its transaction where one is given. */
    async write(
      { key = 'k', n = 1, operation = 'startThing', instanceId }: Written,
      client: pg.ClientBase | pg.Pool = pool,
    ) {
      await client.query(insert, [key, operation, instanceId ?? null, { key, n }]);
    },
    /** Each finished or unfinished row, by its number. */
    async rows() {
      const { rows } = await pool.query<{
        n: number;
        status: string;
        attempt: number;
        failures: number;
        problem: { code?: string } | null;
        answer: object | null;
        lockedBy: string | null;
      }>(`select (body->>'n')::int as n, status, attempt, failures, problem, answer, locked_by as "lockedBy"
        from service.outbox order by n`);
      return rows;
    },
    async statuses(): Promise<Record<string, number>> {
      const { rows } = await pool.query<{ status: string; count: number }>(
        'select status, count(*)::int as count from service.outbox group by status',
      );
      return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    },
    /** The statements of a relay, without the relay. */
    statements: (relayId: string, given: { leaseMs?: number; deadLetters?: 'pass' | 'block' } = {}) =>
      createOutbox({ pool, schema, relayId, leaseMs: 30_000, deadLetters: 'pass', ...given }),
    relay(portico: { readonly url: string; readonly token?: TokenSource }, tuning: Partial<RelayTuning> = {}): Relay {
      const relay = createRelay({
        database: { url, schema },
        portico: { token: fixedToken('t'), ...portico },
        logger: silentLogger,
        registry: new Registry(),
        pollMs: 100,
        ...tuning,
      });
      relays.push(relay);
      relay.start();
      return relay;
    },
    async close(): Promise<void> {
      await Promise.all(relays.map((relay) => relay.stop()));
      await pool.end();
    },
  };
}

export type TestOutbox = Awaited<ReturnType<typeof openOutbox>>;

/** The value of a metric, summed over the labels that are not named. */
export async function metricOf(
  { registry }: Relay,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  const values = (metric?.values ?? []).filter((each) =>
    Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  );
  return values.reduce((sum, { value }) => sum + value, 0);
}
