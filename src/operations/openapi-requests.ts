import { z } from 'zod';
import { type Examples, requestExamplesOf } from './openapi-examples.ts';
import { requestHeaders } from './openapi-headers.ts';
import type { Operation } from './operation.ts';

export const lines = z.string().describe('One element of the array on each line.');

/** The media types of a request with this body. */
export function requestContentOf({ items, ...operation }: Operation, body: z.ZodType, examples: Examples) {
  const ofType = (type: string) => requestExamplesOf(operation, examples, type);
  const content = items?.events?.content ?? {
    'application/json': body,
    ...(items === undefined ? {} : { 'application/x-ndjson': lines }),
  };
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema, ...ofType(type) }]));
}

/** The headers that a request may carry. */
export function requestHeadersOf({ understands = [], requires = [], items }: Operation): z.ZodObject {
  const optional = understands.map((feature) => requestHeaders[feature]);
  const required = requires.map((feature) => requestHeaders[feature]);
  return z.object({
    ...items?.events?.headers.shape,
    ...Object.fromEntries(optional.map(({ name, schema }) => [name, schema])),
    ...Object.fromEntries(required.map(({ name, schema }) => [name, schema.unwrap() as z.ZodType])),
  });
}
