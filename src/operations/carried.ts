/** A header that a request may carry and that only some operations understand. */
export type RequestFeature = 'prefer-wait' | 'idempotency-key' | 'if-match' | 'if-none-match' | 'last-event-id';

/** An entity tag (RFC 9110, 8.8.3), its value without the quotes. */
export interface EntityTag {
  readonly value: string;
  readonly isWeak: boolean;
}

/** What `If-Match` and `If-None-Match` compare with: the tags that they list, or `*` for any representation. */
export type TagCondition = '*' | readonly EntityTag[];

/** What a request carries in its headers, as far as its operation understands them. */
export interface Carried {
  /** How long the caller is willing to wait, in milliseconds; 0 unless it sent `Prefer: wait`. */
  readonly waitMs: number;
  readonly idempotencyKey?: string | undefined;
  /** The operation compares strongly (RFC 9110, 13.1.1). */
  readonly ifMatch?: TagCondition | undefined;
  /** The operation compares weakly (RFC 9110, 13.1.2). */
  readonly ifNoneMatch?: TagCondition | undefined;
  /** The id of the last event that a caller of a stream has seen. */
  readonly lastEventId?: string | undefined;
  /** The W3C trace context, where it is well formed. */
  readonly traceparent?: string | undefined;
}
