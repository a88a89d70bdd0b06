/**
 * What PostgreSQL itself gives up, in milliseconds, and sooner than the relay does: a claim that the relay no longer
 * waits for would still be carried out, and nobody would send its rows.
 */
export const serverLimits = {
  statement_timeout: 8_000,
  lock_timeout: 2_000,
  idle_in_transaction_session_timeout: 5_000,
} as const;
