import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { wakeOf } from './claim.ts';
import { tableIn } from './outbox.ts';

interface Place {
  readonly url: string;
  readonly schema: string;
}

/** A dead row, without its body. */
export interface DeadLetter {
  readonly id: string;
  readonly key: string;
  readonly operation: string;
  readonly instanceId: string | null;
  readonly attempt: number;
  readonly finishedAt: Date;
  readonly problem: Readonly<Record<string, unknown>> | null;
}

/** Makes the table and what belongs to it, or brings it up to date. Whoever calls owns the schema. */
export const migrateOutbox = (place: Place): Promise<void> =>
  connected(place, async (client) => {
    await client.query('begin');
    // Of two at the same time the second finds everything done.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`outbox:${place.schema}`]);
    await client.query(`create schema if not exists "${place.schema}"`);
    await client.query(`set local search_path to "${place.schema}"`);
    await client.query(readFileSync(join(import.meta.dirname, 'schema.sql'), 'utf8'));
    await client.query('commit');
  });

/** The rows that died last, the newest first. */
export const listDead = (place: Place, { limit }: { limit: number }): Promise<DeadLetter[]> =>
  connected(place, async (client) => {
    const { rows } = await client.query<DeadLetter>(
      `select id, key, operation, instance_id as "instanceId", attempt, finished_at as "finishedAt", problem
        from ${tableIn(place.schema)} where status = 'dead' order by finished_at desc limit $1`,
      [limit],
    );
    return rows;
  });

/** Makes a dead row pending again. Resolves to whether it was dead. */
export const replayDead = (
  place: Place,
  { id, deadLetters }: { id: string; deadLetters: 'pass' | 'block' },
): Promise<boolean> =>
  connected(place, async (client) => {
    const call = `select "${place.schema}".outbox_replay($1, $2) as replayed`;
    const { rows } = await client.query<{ replayed: boolean }>(call, [id, deadLetters === 'block']);
    return rows[0]?.replayed === true;
  });

/** Deletes a dead row that nobody will send. Resolves to whether it was dead. */
export const discardDead = (place: Place, id: string): Promise<boolean> =>
  connected(place, async (client) => {
    const table = tableIn(place.schema);
    const text = `delete from ${table} where id = $1 and status = 'dead' returning key`;
    const { rows } = await client.query<{ key: string }>(text, [id]);
    const keys = rows.map(({ key }) => key);
    await client.query(wakeOf(table, 'block').keys, [keys]);
    return keys.length === 1;
  });

async function connected<T>({ url }: Place, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
