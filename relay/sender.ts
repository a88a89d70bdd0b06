/** One item of a batch, as `POST /v1/batch` takes it, as JSON. */
export type ItemText = string;

/** The answer to one item. */
export interface ItemAnswer {
  readonly status: number;
  readonly idempotencyStatus?: string;
  readonly location?: string;
  readonly retryAfterMs?: number;
  /** What the operation answers, or the problem. */
  readonly body: unknown;
}

/** What came of a batch. Every attempt is one HTTP request, but for the one repetition with a renewed token. */
export type Sent =
  /** One answer for each item, in their order. */
  | { readonly kind: 'answers'; readonly answers: readonly ItemAnswer[] }
  /** Portico refused the whole request with a problem. */
  | { readonly kind: 'refused'; readonly status: number; readonly problem: Readonly<Record<string, unknown>> }
  /** Somebody answered, and not as Portico does. */
  | { readonly kind: 'strange'; readonly status: number }
  /** Nothing was sent: the token source failed. */
  | { readonly kind: 'tokenless'; readonly reason: string }
  /** No answer: whether the items had an effect is unknown. */
  | { readonly kind: 'unanswered'; readonly reason: string };

/** Sends a batch. Never rejects; ends when `signal` aborts at the latest. */
export type Send = (items: readonly ItemText[], signal: AbortSignal) => Promise<Sent>;
