import type { Incoming } from './exchange.ts';

/** The body, with what only the headers say. */
export function answerOf({ headers, body }: Incoming): unknown {
  if (Array.isArray(body) || typeof body !== 'object' || body === null) return body;
  const idempotencyStatus = headers.get('idempotency-status');
  const etag = headers.get('etag');
  return { ...body, ...(idempotencyStatus === null ? {} : { idempotencyStatus }), ...(etag === null ? {} : { etag }) };
}
