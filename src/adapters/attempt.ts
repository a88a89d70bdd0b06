/**
 * How one attempt to deliver ended. `reason` is a short constant word in kebab-case (`timeout`, `refused`, `redirect`,
 * `address-not-allowed`), never a text of the receiver.
 */
export type Attempt =
  | { readonly kind: 'delivered'; readonly status?: number }
  /** Worth another attempt. `retryAfterMs`: what the receiver asked for, capped. */
  | { readonly kind: 'failed'; readonly reason: string; readonly status?: number; readonly retryAfterMs?: number }
  /** No attempt will ever succeed: a 410 of an inline URL, a payload or message too large, a start that is refused. */
  | { readonly kind: 'dead'; readonly reason: string; readonly status?: number };
