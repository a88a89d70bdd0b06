/**
 * The closed table of everything that can go wrong as a caller sees it (RFC 9457), each with its retry verdict.
 * `effect` says what this request may have done: `none` (nothing), `unknown` (repeat with the same key to find out),
 * `applied` (it took effect although it ends in a problem).
 */
export const problems = {
  'malformed-request': { status: 400, title: 'The request cannot be parsed', retryable: false, effect: 'none' },
  'invalid-request': { status: 400, title: 'The request does not fit its schema', retryable: false, effect: 'none' },
  'invalid-key': { status: 400, title: 'The business key is missing or not allowed', retryable: false, effect: 'none' },
  'invalid-cursor': {
    status: 400,
    title: 'The cursor is not one of ours for this query',
    retryable: false,
    effect: 'none',
  },
  unauthenticated: { status: 401, title: 'A valid bearer token is required', retryable: false, effect: 'none' },
  forbidden: { status: 403, title: 'The token lacks the permission', retryable: false, effect: 'none' },
  'second-person-required': {
    status: 403,
    title: 'Somebody other than the one who asked must do this',
    retryable: false,
    effect: 'none',
  },
  'not-found': { status: 404, title: 'There is no such resource', retryable: false, effect: 'none' },
  'method-not-allowed': {
    status: 405,
    title: 'The resource does not know this method',
    retryable: false,
    effect: 'none',
  },
  'request-timeout': { status: 408, title: 'The request did not arrive in time', retryable: true, effect: 'none' },
  'action-not-allowed': {
    status: 409,
    title: 'The instance does not allow this action at its present step',
    retryable: false,
    effect: 'none',
  },
  'too-late': {
    status: 409,
    title: 'The instance can no longer be changed this way',
    retryable: false,
    effect: 'none',
  },
  'account-conflict': {
    status: 409,
    title: 'The account exists with another currency or opening balance',
    retryable: false,
    effect: 'none',
  },
  'endpoint-conflict': {
    status: 409,
    title: 'The endpoint exists with another URL or description',
    retryable: false,
    effect: 'none',
  },
  'account-unknown': {
    status: 409,
    title: 'There is no account of that id',
    retryable: false,
    effect: 'none',
  },
  'account-frozen': {
    status: 409,
    title: 'The account is frozen and takes no money',
    retryable: false,
    effect: 'none',
  },
  'currency-differs': {
    status: 409,
    title: 'The account is of another currency',
    retryable: false,
    effect: 'none',
  },
  'release-conflict': {
    status: 409,
    title: 'The money was released otherwise before, or a newer proposal counts',
    retryable: false,
    effect: 'none',
  },
  'precondition-failed': {
    status: 412,
    title: 'The resource was changed since the caller saw it',
    retryable: false,
    effect: 'none',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is larger than this resource accepts',
    retryable: false,
    effect: 'none',
  },
  'uri-too-long': { status: 414, title: 'A part of the address is too long', retryable: false, effect: 'none' },
  'unsupported-media-type': {
    status: 415,
    title: 'The media type or the content coding of the body is not taken here',
    retryable: false,
    effect: 'none',
  },
  'idempotency-mismatch': {
    status: 422,
    title: 'The key was used before with another payload',
    retryable: false,
    effect: 'none',
  },
  'unknown-event-type': {
    status: 422,
    title: 'No process takes events of this type',
    retryable: false,
    effect: 'none',
  },
  'not-configured': {
    status: 422,
    title: 'This deployment is not set up for what the request asks for',
    retryable: false,
    effect: 'none',
  },
  'target-not-allowed': {
    status: 422,
    title: 'The request names a target that this deployment does not allow',
    retryable: false,
    effect: 'none',
  },
  'limit-reached': {
    status: 429,
    title: 'The tenant has as many of these as this deployment allows',
    retryable: true,
    effect: 'none',
    retryAfterMs: 60_000,
  },
  'rate-limited': { status: 429, title: 'Too many requests', retryable: true, effect: 'none', retryAfterMs: 1_000 },
  'headers-too-large': { status: 431, title: 'The header fields are too large', retryable: false, effect: 'none' },
  internal: {
    status: 500,
    title: 'Portico failed; the fault is ours',
    retryable: true,
    effect: 'unknown',
    retryAfterMs: 5_000,
  },
  'action-failed': {
    status: 500,
    title: 'The action failed after it had begun; a repetition gets the same answer',
    retryable: false,
    effect: 'unknown',
  },
  overloaded: {
    status: 503,
    title: 'Portico is busy or shutting down',
    retryable: true,
    effect: 'none',
    retryAfterMs: 1_000,
  },
  'held-back': {
    status: 503,
    title: 'The item was not tried; send it again after those before it',
    retryable: true,
    effect: 'none',
    retryAfterMs: 1_000,
  },
  'orchestration-unavailable': {
    status: 503,
    title: 'The process engine cannot be reached or used at the moment',
    retryable: true,
    effect: 'none',
    retryAfterMs: 2_000,
  },
  'database-unavailable': {
    status: 503,
    title: 'The database cannot be reached or used at the moment',
    retryable: true,
    effect: 'none',
    retryAfterMs: 2_000,
  },
  'keys-unavailable': {
    status: 503,
    title: 'The keys that verify tokens cannot be fetched at the moment',
    retryable: true,
    effect: 'none',
    retryAfterMs: 5_000,
  },
  'orchestration-timeout': {
    status: 504,
    title: 'The process engine did not answer in time; nothing was changed',
    retryable: true,
    effect: 'none',
    retryAfterMs: 1_000,
  },
  'outcome-unknown': {
    status: 504,
    title: 'No answer in time; repeat with the same key to learn what happened',
    retryable: true,
    effect: 'unknown',
    retryAfterMs: 1_000,
  },
} as const satisfies Record<string, ProblemKind>;

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  readonly effect: 'none' | 'unknown' | 'applied';
  readonly retryAfterMs?: number;
}
