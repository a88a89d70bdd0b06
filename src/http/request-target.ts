import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';

/** The path of a request target, without query. */
export const pathOf = (url: string): string => /^[^?#]*/.exec(url)?.[0] ?? '';

const noQuery: Record<string, unknown> = Object.freeze(Object.create(null) as Record<string, unknown>);

/** Reads a query string. A parameter that is there twice becomes an array, for {@link refuseRepeatedParameters} to see. */
export const parseQuery = (text: string): Record<string, unknown> => (text === '' ? noQuery : parse(text));

/** Throws `invalid-request` if a parameter is there twice: readers disagree on which one counts. */
export function refuseRepeatedParameters({ query }: FastifyRequest): void {
  const parameters = Object(query) as Readonly<Record<string, unknown>>;
  const repeated = Object.keys(parameters).filter((name) => Array.isArray(parameters[name]));
  if (repeated.length === 0) return;
  throw new Problem('invalid-request', {
    errors: repeated.map((name) => ({ parameter: name.slice(0, 128), message: 'must not be repeated' })),
  });
}

/** Whether the caller sends the body only once it is invited to (RFC 9110, 10.1.1). */
export const awaitsContinue = ({ headers, httpVersion }: IncomingMessage): boolean =>
  httpVersion === '1.1' && headers.expect?.toLowerCase() === '100-continue';
