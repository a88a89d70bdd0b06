import type pg from 'pg';
import { claimOf, wakeOf } from './claim.ts';
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

interface Claim {
  readonly limit: number;
  readonly suspects: boolean;
  readonly fresh?: boolean;
}

interface ClaimedRow extends OutboxRow {
  readonly position: string;
  readonly setAside: number;
}

interface NothingClaimed {
  readonly id: null;
  readonly setAside: number;
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

interface OutboxOptions {
  readonly pool: pg.Pool;
  /** Double quotes are added here. */
  readonly schema: string;
  /** Tells this relay from all others, also from an earlier one of its name. */
  readonly relayId: string;
  readonly leaseMs: number;
  readonly deadLetters: 'pass' | 'block';
}

/** The statements on the table. Each is a transaction of its own, so that none is open while HTTP is. */
export function createOutbox(options: OutboxOptions) {
  const { pool, schema, relayId, deadLetters } = options;
  const table = tableIn(schema);
  const endText = endOf(table);
  const wakeText = wakeOf(table, deadLetters);

  return {
    claim: claimingIn(options),

    /** Writes what became of claimed rows. Answers the ids of those that were still held by this claim. */
    async end(ended: readonly EndedRow[]): Promise<ReadonlySet<string>> {
      if (ended.length === 0) return new Set();
      const { rows } = await pool.query<{ id: string }>(endText, [relayId, JSON.stringify(ended.map(recordOf))]);
      // A statement of its own sees what was set aside until the rows had ended. Where it fails, `wakeMissed` finds them.
      const keys = ended.flatMap(({ row, end: { kind } }) => (kind === 'done' || kind === 'dead' ? [row.key] : []));
      if (keys.length > 0) await pool.query(wakeText.keys, [keys]).catch(() => undefined);
      return new Set(rows.map(({ id }) => id));
    },

    /**
     * Makes rows due that are first of their key and were set aside behind one that is no more: deleted by hand, or ended
     * by a relay that died before it could say so. Reads every pending row.
     */
    async wakeMissed(): Promise<number> {
      return (await pool.query(wakeText.all)).rowCount ?? 0;
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

/**
 * Takes rows that are due and first of their key, the longest due first, for as long as the lease. `suspects` are those
 * that no relay came to an end with, or that were not answered; those for the second time come one by one. With `fresh`
 * rows that have not failed come before all others.
 */
function claimingIn({ pool, schema, relayId, leaseMs, deadLetters }: OutboxOptions) {
  const { lost, alone, fresh: unfailed, others } = claimOf(tableIn(schema), deadLetters);

  /** As long as rows are only set aside there may be others behind them. */
  async function claimed(text: string, limit: number): Promise<ClaimedRow[]> {
    for (;;) {
      const values = [relayId, leaseMs, limit, limit + lookedAtBeside];
      const { rows } = await pool.query<ClaimedRow | NothingClaimed>(text, values);
      const found = rows.filter((row): row is ClaimedRow => row.id !== null);
      if (found.length > 0 || (rows[0]?.setAside ?? 0) === 0) return found;
    }
  }

  return async ({ limit, suspects, fresh = false }: Claim): Promise<OutboxRow[]> => {
    const ways = suspects
      ? [
          { text: lost, most: limit },
          { text: alone, most: 1 },
        ]
      : [...(fresh ? [unfailed] : []), others].map((text) => ({ text, most: limit }));
    for (const { text, most } of ways) {
      const rows = await claimed(text, most);
      if (rows.length > 0) return rows.sort((a, b) => Number(a.position) - Number(b.position));
    }
    return [];
  };
}

/** The table, safe to stand in a statement. */
export const tableIn = (schema: string): string => `"${schema.replaceAll('"', '""')}".outbox`;

/** What the trigger notifies. */
export const channelIn = (schema: string): string => Array.from(`outbox:${schema}`).slice(0, 63).join('');

/** How many rows a claim may look at, beside those it takes, to set them aside behind the first of their key. */
const lookedAtBeside = 500;

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
