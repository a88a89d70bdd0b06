import type pg from 'pg';
import type { Answered, Problem } from './outcome.ts';

/** A row as a claim gives it out. */
export interface OutboxRow {
  /** A whole number, as text. */
  readonly id: string;
  readonly key: string;
  readonly operation: string;
  /** Of an action; null for a start. */
  readonly instanceId: string | null;
  readonly idempotencyKey: string | null;
  /** JSON text, the same at every attempt. */
  readonly body: string;
  /** How often it was claimed, this time included. */
  readonly attempt: number;
  /** How many claims in a row had no end, this one included. */
  readonly started: number;
  /** How many retryable answers, or none, came in a row. */
  readonly failures: number;
  /** When it was due before this claim, as PostgreSQL writes it. */
  readonly dueAt: string;
  /** Whether nobody had ended the claim before. */
  readonly isTakenOver: boolean;
}

/** What becomes of a claimed row. */
export type RowEnd =
  | { readonly kind: 'done'; readonly answer: Answered }
  | { readonly kind: 'dead'; readonly problem: Problem }
  /** Again after `waitMs`. `failures` is the new count; a suspect is sent alone. */
  | {
      readonly kind: 'again';
      readonly waitMs: number;
      readonly failures: number;
      readonly isSuspect: boolean;
      readonly problem?: Problem;
    }
  /** As if it had not been claimed. */
  | { readonly kind: 'released'; readonly isSuspect: boolean; readonly problem?: Problem };

export interface EndedRow {
  readonly row: OutboxRow;
  readonly end: RowEnd;
}

export type Outbox = ReturnType<typeof createOutbox>;

/** The statements on the table. Each is a transaction of its own, so that none is open while HTTP is. */
export function createOutbox(options: {
  readonly pool: pg.Pool;
  /** Double quotes are added here. */
  readonly schema: string;
  /** Tells this relay from all others, also from an earlier one of its name. */
  readonly relayId: string;
  readonly leaseMs: number;
  readonly deadLetters: 'pass' | 'block';
}) {
  const { pool, schema, relayId, leaseMs, deadLetters } = options;
  const table = tableIn(schema);
  const claimText = claimOf(table, deadLetters);
  const endText = endOf(table);

  return {
    /**
     * Takes rows that are due and first of their key, the longest due first, for as long as the lease. `suspects` are
     * those that no relay came to an end with, or that were not answered; those for the second time come one by one.
     */
    async claim({ limit, suspects }: { limit: number; suspects: boolean }): Promise<OutboxRow[]> {
      const claim = (text: string, most: number) =>
        pool.query<OutboxRow & { position: string }>(text, [relayId, leaseMs, most]);
      let { rows } = await claim(suspects ? claimText.lost : claimText.others, limit);
      if (suspects && rows.length === 0) ({ rows } = await claim(claimText.alone, 1));
      return rows.sort((a, b) => Number(a.position) - Number(b.position));
    },

    /** Writes what became of claimed rows. Answers the ids of those that were still held by this claim. */
    async end(ended: readonly EndedRow[]): Promise<ReadonlySet<string>> {
      if (ended.length === 0) return new Set();
      const { rows } = await pool.query<{ id: string }>(endText, [relayId, JSON.stringify(ended.map(recordOf))]);
      return new Set(rows.map(({ id }) => id));
    },

    /** How much waits and how long, in seconds, and how much is dead. Reads every pending row. */
    async measure(): Promise<{ pending: number; dead: number; oldestSeconds: number }> {
      const { rows } = await pool.query<{ pending: number; dead: number; oldestSeconds: number }>(`
        select count(*) filter (where status = 'pending')::int as pending,
          count(*) filter (where status = 'dead')::int as dead,
          coalesce(extract(epoch from now() - min(created_at) filter (where status = 'pending')), 0)::float8
            as "oldestSeconds"
        from ${table} where status <> 'done'`);
      return rows[0] ?? { pending: 0, dead: 0, oldestSeconds: 0 };
    },

    /** Deletes at most `limit` rows that ended longer ago than `olderThanMs`. Answers how many it were. */
    async remove(status: 'done' | 'dead', { olderThanMs, limit }: { olderThanMs: number; limit: number }) {
      const { rowCount } = await pool.query(
        `delete from ${table} where id in (
          select id from ${table} where status = '${status}' and finished_at < now() - $1 * interval '1 ms'
          order by finished_at limit $2 for update skip locked)`,
        [olderThanMs, limit],
      );
      return rowCount ?? 0;
    },
  };
}

/** The table, safe to stand in a statement. */
export const tableIn = (schema: string): string => `"${schema.replaceAll('"', '""')}".outbox`;

/** What the trigger notifies. */
export const channelIn = (schema: string): string => Array.from(`outbox:${schema}`).slice(0, 63).join('');

/**
 * The order of a key is a subquery with a limit. The planner cannot make a join of it, so it is asked row by row from an
 * index, and the claim costs what it takes, not what the table holds. Being first stays true until the row is finished.
 */
function claimOf(table: string, deadLetters: 'pass' | 'block') {
  const isBefore = deadLetters === 'block' ? `e.status <> 'done'` : `e.status = 'pending'`;
  const text = (isSuspect: string) => `
    with head as (
      select o.id, o.next_attempt_at, o.locked_by from ${table} o
      where o.status = 'pending' and ${isSuspect} and o.next_attempt_at <= now()
        and o.id = (
          select e.id from ${table} e where e.key = o.key and ${isBefore} order by e.position limit 1)
      order by o.next_attempt_at, o.position
      limit $3
      for update skip locked
    )
    update ${table} o set
      locked_by = $1, lease_until = now() + $2 * interval '1 ms', next_attempt_at = now() + $2 * interval '1 ms',
      attempt = o.attempt + 1, started = o.started + 1, suspect = true
    from head where o.id = head.id
    returning o.id, o.position, o.key, o.operation, o.instance_id as "instanceId", o.idempotency_key as "idempotencyKey",
      o.body::text as body, o.attempt, o.started, o.failures, head.next_attempt_at::text as "dueAt",
      head.locked_by is not null as "isTakenOver"`;
  return {
    others: text('not o.suspect'),
    /** Lost once, as with a relay that was killed: hardly any of them is to blame. */
    lost: text('o.suspect and o.started <= 1 and o.failures <= 1'),
    alone: text('o.suspect and (o.started > 1 or o.failures > 1)'),
  };
}

/** A row is ended by the claim that holds it, and by no earlier one: that is what `locked_by` and `attempt` say. */
const endOf = (table: string) => `
  update ${table} o set
    status = e.status, started = 0, failures = e.failures, suspect = e.suspect, locked_by = null, lease_until = null,
    next_attempt_at = coalesce(e.due_at, now() + e.wait_ms * interval '1 ms'),
    finished_at = case when e.status <> 'pending' then now() end,
    problem = coalesce(e.problem, case when e.status = 'pending' then o.problem end), answer = e.answer
  from jsonb_to_recordset($2::jsonb) as e(
    id bigint, attempt integer, status text, failures integer, suspect boolean, wait_ms float8, due_at timestamptz,
    problem jsonb, answer jsonb)
  where o.id = e.id and o.locked_by = $1 and o.attempt = e.attempt and o.status = 'pending'
  returning o.id`;

function recordOf({ row, end }: EndedRow) {
  const { id, attempt, failures } = row;
  const held = { id, attempt, status: 'pending', failures, suspect: false, wait_ms: 0 };
  switch (end.kind) {
    case 'done':
      return { ...held, status: 'done', answer: end.answer };
    case 'dead':
      return { ...held, status: 'dead', problem: end.problem };
    case 'again':
      return { ...held, failures: end.failures, suspect: end.isSuspect, wait_ms: end.waitMs, problem: end.problem };
    case 'released':
      return { ...held, suspect: end.isSuspect, due_at: row.dueAt, problem: end.problem };
  }
}
