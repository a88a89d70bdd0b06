import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from '../operations/operation.ts';
import { Problem } from '../problems.ts';

/**
 * How long the caller is willing to wait, in milliseconds, by `Prefer: wait=10` (RFC 7240); at most `maxWaitMs`.
 * A preference that cannot be understood is ignored, as the RFC says.
 */
export function waitMsOf(headers: IncomingHttpHeaders, maxWaitMs: number): number {
  const prefer = headers['prefer'];
  const text = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '');
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(text)?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1_000, maxWaitMs);
}

/**
 * The key in the `Idempotency-Key` header, quoted or bare. Throws `invalid-key` where the operation needs one and there
 * is none, where it refuses one, and where it is not 1 to 255 visible ASCII characters.
 */
export function idempotencyKeyOf(headers: IncomingHttpHeaders, operation: Operation): string | undefined {
  const rule = operation.idempotencyKey;
  const header = headers['idempotency-key'];
  if (rule === undefined) return undefined;
  if (header === undefined) {
    if (rule === 'required')
      throw new Problem('invalid-key', { detail: 'The Idempotency-Key header is required here.' });
    return undefined;
  }
  if (typeof rule === 'object') throw new Problem('invalid-key', { detail: rule.refused });
  const key =
    typeof header === 'string' ? /^"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?$/.exec(header.trim())?.[1] : undefined;
  if (key === undefined) {
    throw new Problem('invalid-key', {
      detail: 'The Idempotency-Key header is 1 to 255 visible ASCII characters, once.',
    });
  }
  return key;
}

/** The W3C trace context, if it is well formed. */
export function traceparentOf(headers: IncomingHttpHeaders): string | undefined {
  const traceparent = headers['traceparent'];
  return typeof traceparent === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)
    ? traceparent
    : undefined;
}
