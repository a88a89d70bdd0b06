import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { TokenSource } from './token.ts';

/** What a relay is told. Times are in milliseconds. What is not given has the value of {@link defaults}. */
export interface RelayOptions extends Partial<RelayTuning> {
  /** Where the table `outbox` is. The schema is `public` unless given. */
  readonly database: { readonly url: string; readonly schema?: string };
  readonly portico: { readonly url: string; readonly token: TokenSource };
  readonly logger?: Logger;
  readonly registry?: Registry;
}

export interface RelayTuning {
  /** Rows of one request at most. */
  readonly batch: number;
  /** Requests at a time, beside one for rows that are sent alone. */
  readonly lanes: number;
  /** How often to look for rows that no notification told of. */
  readonly pollMs: number;
  /** How long an answer may take. */
  readonly httpLimitMs: number;
  /** How long a claim holds: longer than an answer may take. */
  readonly leaseMs: number;
  /** The longest wait before a row is tried again, unless an answer asks for more. */
  readonly longestMs: number;
  /** The waits between probes, while nothing is answered as it should. */
  readonly shortestProbeMs: number;
  readonly longestProbeMs: number;
  /** Claims without an end after which a row is dead. */
  readonly maxStarts: number;
  /** Whether later rows of a key pass a dead one. */
  readonly deadLetters: 'pass' | 'block';
  /** How long finished rows are kept; 0 for ever. */
  readonly keepDoneMs: number;
  readonly keepDeadMs: number;
  /** How long the relay may take to stop. */
  readonly stopLimitMs: number;
}

const dayMs = 86_400_000;

export const defaults: RelayTuning = {
  batch: 50,
  lanes: 2,
  pollMs: 1_000,
  httpLimitMs: 20_000,
  leaseMs: 30_000,
  longestMs: 60_000,
  shortestProbeMs: 200,
  longestProbeMs: 10_000,
  maxStarts: 3,
  deadLetters: 'pass',
  keepDoneMs: 7 * dayMs,
  keepDeadMs: 14 * dayMs,
  stopLimitMs: 15_000,
};
