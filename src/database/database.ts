import pg from 'pg';
import type { Logger } from 'pino';
import { Problem } from '../problems.ts';
import { createFairGate } from '../timing/fair-gate.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import { databaseFailureOf, type SchemaWait, schemaWaitOf, unavailable } from './failures.ts';

export interface DatabaseOptions {
  /** A connection URL. What its query says, such as `statement_timeout=0`, counts more than the limits set here. */
  readonly url: string;
  /** Connections at most. */
  readonly poolMax: number;
  /** How long one waits for a connection, in milliseconds: for a new one, or for one that others use. */
  readonly connectTimeoutMs?: number;
  readonly logger: Logger;
  /** Called for each statement that the schema, or the role's rights, do not allow yet. */
  readonly onSchemaWait?: (wait: SchemaWait) => void;
}

/** Something that runs one SQL statement. Parameters are `$1`, `$2`, …; int8 comes back as `bigint`, timestamptz as `Date`. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** The inside of one transaction. Work on it must not touch the database by any other way: the pool may hold one connection. */
export interface Transaction extends Queryable {
  /** Lets the work's answer stand while nothing it wrote does. */
  rollBack(): void;
}

export interface Database extends Queryable {
  /**
   * Runs `work` in one READ COMMITTED transaction and commits, unless the work throws or calls `rollBack`.
   * Resolves only after the server has confirmed the COMMIT. Never retries: the caller repeats with the same key.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Resolves when the database answers within `timeoutMs` milliseconds, else rejects as `database-unavailable`. */
  ping(timeoutMs: number): Promise<void>;
  /**
   * The same database, for other work. Where all connections are in use, the lanes get them in turn, so that much work in
   * one lane does not hold up another.
   */
  inLane(lane: string): Database;
  /** Waits for what runs, then closes every connection, for all lanes. */
  close(): Promise<void>;
}

/** A transaction that takes longer is given up with its connection. Well below the ten seconds a money activity has. */
const transactionLimitMs = 6_000;

/**
 * A pool of connections to PostgreSQL, or to what speaks its protocol. Connects when it is first used and again after every
 * loss, so the database may be down at the start and come back at any time.
 *
 * Lost connections, timeouts, transient SQLSTATEs and those of a schema that is behind reject as
 * `Problem('database-unavailable')`, which is retryable with the same key; its effect is `unknown` where a COMMIT or a writing statement was sent and never answered.
 * Every other SQL error rejects as the driver's `DatabaseError`.
 */
export function connectDatabase(options: DatabaseOptions): Database {
  const { url, poolMax, connectTimeoutMs = 2_000, logger, onSchemaWait = () => undefined } = options;
  const pool = new pg.Pool({ ...poolOptionsOf(url), max: poolMax, connectionTimeoutMillis: connectTimeoutMs });
  // A client that is checked out reports its dead socket on itself: unheard, that would end the process.
  pool.on('connect', (client) =>
    client.on('error', (error) => logger.warn({ reason: error.message }, 'a database connection was lost')),
  );
  // The client's own listener has told it already.
  pool.on('error', () => undefined);

  // Whoever passes the gate finds a connection free, or room for a new one.
  const gate = createFairGate({ slots: () => poolMax });

  async function checkOut(lane: string): Promise<pg.PoolClient> {
    const isAdmitted = await gate.enter(lane, connectTimeoutMs);
    if (!isAdmitted) throw unavailable(new Error(`no connection was free within ${connectTimeoutMs} ms`));
    try {
      return await pool.connect();
    } catch (cause) {
      gate.leave();
      throw unavailable(cause);
    }
  }

  function tellSchemaWait(error: unknown): void {
    const wait = schemaWaitOf(error);
    if (wait !== undefined) onSchemaWait(wait);
  }

  const openLane = (lane: string): Database => ({
    async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const client = await checkOut(lane);
      try {
        const { rows } = await run<Row>(client, text, { values, unknownEffect: !isReading(text) });
        client.release();
        return rows;
      } catch (error) {
        tellSchemaWait(error);
        giveBack(client, error);
        throw error;
      } finally {
        gate.leave();
      }
    },

    async transaction(work) {
      const client = await checkOut(lane);
      try {
        const result = await within(transactionLimitMs, runTransaction(client, work), { unknownEffect: true });
        client.release();
        return result;
      } catch (error) {
        tellSchemaWait(error);
        await abandon(client, error);
        throw error;
      } finally {
        gate.leave();
      }
    },

    async ping(timeoutMs) {
      await within(timeoutMs, pings.query('select 1'));
    },
    inLane: openLane,
    close: () => pool.end(),
  });
  const pings = openLane('pings');
  return openLane('main');
}

function poolOptionsOf(url: string): pg.PoolConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, BigInt);
  return {
    types,
    connectionString: url,
    application_name: 'portico',
    keepAlive: true,
    query_timeout: 5_000,
    // Below query_timeout: that one only gives up waiting, the statement would run on.
    statement_timeout: 4_000,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: 5_000,
  };
}

async function runTransaction<T>(client: pg.PoolClient, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const ending = { isRolledBack: false };
  await run(client, 'begin isolation level read committed');
  const result = await work({
    async query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) {
      return (await run<Row>(client, text, { values })).rows;
    },
    rollBack() {
      ending.isRolledBack = true;
    },
  });
  if (ending.isRolledBack) {
    await run(client, 'rollback');
    return result;
  }
  const { command } = await run(client, 'commit', { unknownEffect: true });
  // The server answers a COMMIT after a failed statement with ROLLBACK and no error.
  if (command !== 'COMMIT') throw new Error('a statement of the transaction had failed: nothing was committed');
  return result;
}

async function run<Row extends pg.QueryResultRow>(
  client: pg.PoolClient,
  text: string,
  { values = [], unknownEffect = false }: { values?: readonly unknown[] | undefined; unknownEffect?: boolean } = {},
): Promise<pg.QueryResult<Row>> {
  try {
    return await client.query<Row>(text, [...values]);
  } catch (error) {
    throw databaseFailureOf(error, { unknownEffect });
  }
}

const within = <T>(limitMs: number, work: Promise<T>, { unknownEffect = false } = {}): Promise<T> =>
  withTimeLimit(work, limitMs, () => unavailable(new Error(`not done within ${limitMs} ms`), unknownEffect));

/** Statements are ours: one that begins with SELECT changes nothing. */
const isReading = (text: string): boolean => /^\s*select\b/i.test(text);

async function abandon(client: pg.PoolClient, error: unknown): Promise<void> {
  try {
    if (!isConnectionSuspect(error)) await run(client, 'rollback');
    giveBack(client, error);
  } catch (rollbackError) {
    giveBack(client, rollbackError);
  }
}

/** Returns a client to the pool, or destroys it after a failure that may have left something unread on its socket. */
function giveBack(client: pg.PoolClient, error: unknown): void {
  if (!isConnectionSuspect(error)) {
    client.release();
    return;
  }
  client.release(true);
  // `release` says goodbye and waits for the other side, which may be gone.
  client.connection.stream.destroy();
}

const isConnectionSuspect = (error: unknown): boolean =>
  error instanceof Problem && error.code === 'database-unavailable' && schemaWaitOf(error) === undefined;
