import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';

/** Throws `malformed-request` where the Host header is missing (RFC 9112, 3.2). HTTP/1.0 knows none. */
export function refuseMissingHost({ raw }: FastifyRequest): void {
  if (raw.headers.host === undefined && raw.httpVersion === '1.1') {
    throw new Problem('malformed-request', { detail: 'The Host header is missing.' });
  }
}
