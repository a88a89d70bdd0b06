import pg from 'pg';
import { Problem } from '../problems.ts';

/**
 * SQLSTATEs after which the same work with the same key may succeed: lost connections, a server that starts, stops or
 * fails over, statements and locks that ran out of time, serialization failures and deadlocks, exhausted resources.
 * Constraint violations are never among them: they are outcomes or faults of ours.
 */
const transientStates = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '57014', // query_canceled, by statement_timeout
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available, by lock_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25006', // read_only_sql_transaction: a replica that was the primary before
]);
const transientClasses = new Set(['08', '53']);

/**
 * SQLSTATEs of a schema that is older than the program, or of a role without its rights. The migration that is due mends
 * each of them, so the work waits. Giving up would end a wave of instances that lack nothing but that migration.
 */
const schemaStates = {
  '42P01': 'missing-table',
  '42703': 'missing-column',
  '42501': 'missing-right',
} as const;

/** What the schema lacks, or the role. */
export type SchemaWait = (typeof schemaStates)[keyof typeof schemaStates];

/** States in which the server broke off instead of refusing, so that the effect of the last statement is not known. */
const interruptions = /^(08|57)/;

/**
 * What a caller gets for an error of the driver. One that passes by itself, or by a migration, becomes `database-unavailable`, whose verdict says
 * that it may be retried; `unknownEffect` tells whether the statement could have changed something for good by itself.
 * Anything else (a constraint, a fault in a statement) is handed back as it is.
 */
export function databaseFailureOf(error: unknown, { unknownEffect }: { unknownEffect: boolean }): unknown {
  // A bad parameter never reached the server.
  if (error instanceof TypeError || error instanceof RangeError) return error;
  const state = error instanceof pg.DatabaseError ? error.code : undefined;
  // The driver has no error class of its own for timeouts and lost connections: whatever the server did not send is one.
  if (state === undefined) return unavailable(error, unknownEffect);
  if (!isTransient(state) && schemaWaitOfDriver(error) === undefined) return error;
  return unavailable(error, unknownEffect && interruptions.test(state));
}

/** What a failure of {@link databaseFailureOf} waits for in the schema; undefined for every other failure. */
export const schemaWaitOf = (failure: unknown): SchemaWait | undefined =>
  failure instanceof Problem ? schemaWaitOfDriver(failure.options.cause) : undefined;

/** `database-unavailable`, with its cause for the log. */
export const unavailable = (cause: unknown, unknownEffect = false): Problem =>
  new Problem('database-unavailable', { cause, ...(unknownEffect ? { effect: 'unknown' as const } : {}) });

function schemaWaitOfDriver(error: unknown): SchemaWait | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined;
  return Object.entries(schemaStates).find(([state]) => state === error.code)?.[1];
}

const isTransient = (state: string): boolean => transientStates.has(state) || transientClasses.has(state.slice(0, 2));
