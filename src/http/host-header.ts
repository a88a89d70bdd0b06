import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';
import { fieldsNamed } from '../tokens/header-fields.ts';

/** Throws `malformed-request` where the Host header is missing or there twice (RFC 9112, 3.2). HTTP/1.0 needs none. */
export function refuseWrongHost({ raw }: FastifyRequest): void {
  const count = fieldsNamed(raw, 'host').length;
  if (count === 1 || (count === 0 && raw.httpVersion === '1.0')) return;
  throw new Problem('malformed-request', {
    detail: count === 0 ? 'The Host header is missing.' : 'The Host header is there more than once.',
  });
}
