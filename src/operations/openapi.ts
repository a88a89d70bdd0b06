import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { type ProblemCode, problems } from '../problems.ts';
import type { Operation, ResponseHeader } from './operation.ts';

/** Problems that every operation can have. */
const commonProblems: readonly ProblemCode[] = [
  'malformed-request',
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'request-timeout',
  'rate-limited',
  'headers-too-large',
  'internal',
  'overloaded',
  'keys-unavailable',
];
// A body is read wherever there may be one, also where none is asked for.
const bodyProblems: readonly ProblemCode[] = ['body-too-large', 'unsupported-media-type'];

const problemBody = z
  .object({
    type: z.string().describe('A URN that ends in the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string().describe('The path of the request.'),
    code: z.enum(Object.keys(problems)),
    errors: z
      .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), message: z.string() }))
      .optional(),
    retryable: z.boolean().describe('Whether the same request, with the same key, can end better.'),
    effect: z
      .enum(['none', 'unknown', 'applied'])
      .describe('What this request did: nothing, perhaps something (repeat it to learn), or what it asked for.'),
    retryAfterMs: z.int().optional().describe('How long to wait before the next try, in milliseconds.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with the retry verdict as extension members.' });

const responseHeaders: Readonly<Record<ResponseHeader, z.ZodType>> = {
  Location: z
    .string()
    .describe('The resource.')
    .meta({ header: { id: 'Location' } }),
  'Retry-After': z
    .string()
    .describe('Seconds after which asking again is worth while.')
    .meta({ header: { id: 'RetryAfter' } }),
  'Idempotency-Status': z
    .enum(['created', 'joined', 'replayed'])
    .describe('Whether this request created the instance, joined it while it runs, or found it closed.')
    .meta({ header: { id: 'IdempotencyStatus' } }),
  'Preference-Applied': z
    .string()
    .optional()
    .describe('The wait that was granted (RFC 7240).')
    .meta({ header: { id: 'PreferenceApplied' } }),
};

const problemHeaders = {
  'WWW-Authenticate': z
    .string()
    .describe('The challenge (RFC 6750).')
    .meta({ header: { id: 'Challenge' } }),
  'Retry-After': responseHeaders['Retry-After'],
  Location: z
    .string()
    .optional()
    .describe('Where to look for what may have been started.')
    .meta({ header: { id: 'PerhapsLocation' } }),
};

/** The OpenAPI 3.1 document of a list of operations. */
export function renderOpenApi(operations: readonly Operation[], version: string) {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of operations) {
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = toOperationObject(operation);
  }
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Portico',
      version,
      description: 'Durable business processes behind plain HTTP.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'Wherever Portico runs.' }],
    security: [{ token: [] }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({
      name,
      description: `Everything about ${name}.`,
    })),
    paths: paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  });
}

function toOperationObject(operation: Operation): ZodOpenApiOperationObject {
  return {
    operationId: operation.operationId,
    summary: operation.summary,
    tags: [operation.tag],
    description: `Needs the permission \`${operation.permission}\`.`,
    'x-permission': operation.permission,
    requestParams: {
      ...(operation.params === undefined ? {} : { path: operation.params }),
      ...(operation.query === undefined ? {} : { query: operation.query }),
      header: requestHeadersOf(operation),
    },
    ...(operation.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: operation.body } } } }),
    responses: { ...answersOf(operation), ...problemsOf(operation) },
  };
}

function requestHeadersOf({ canWait, idempotencyKey }: Operation): z.ZodObject {
  const key = z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/)
    .describe('1 to 255 visible ASCII characters: equal requests with one key are applied once.');
  return z.object({
    ...(canWait
      ? { Prefer: z.string().optional().describe('`wait=10` holds the answer for up to that many seconds (RFC 7240).') }
      : {}),
    ...(idempotencyKey === 'required' ? { 'Idempotency-Key': key } : {}),
    ...(idempotencyKey === 'optional' ? { 'Idempotency-Key': key.optional() } : {}),
  });
}

const answersOf = ({ responses }: Operation) =>
  Object.fromEntries(
    Object.entries(responses).map(([status, { description, body, headers = [] }]) => [
      status,
      {
        description,
        content: { 'application/json': { schema: body } },
        ...(headers.length === 0
          ? {}
          : { headers: z.object(Object.fromEntries(headers.map((name) => [name, responseHeaders[name]]))) }),
      },
    ]),
  );

/** One response for each status, whose description lists the codes that come with it. */
function problemsOf(operation: Operation) {
  const isRead = operation.method === 'GET';
  const own: ProblemCode[] = [
    ...operation.problems,
    ...(operation.params === undefined ? [] : ['uri-too-long' as const]),
    ...(isRead ? [] : bodyProblems),
  ];
  const dependencies: ProblemCode[] = [
    operation.process === undefined ? 'database-unavailable' : 'orchestration-unavailable',
    isRead ? 'orchestration-timeout' : 'outcome-unknown',
  ];
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...own, ...dependencies, ...commonProblems])) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(' '),
          ...headersOfProblem(operation, status, codes),
          content: { 'application/problem+json': { schema: problemBody } },
        },
      ]),
  );
}

function headersOfProblem(operation: Operation, status: number, codes: readonly ProblemCode[]) {
  const names: (keyof typeof problemHeaders)[] = [];
  if (status === 401 || status === 403) names.push('WWW-Authenticate');
  if (codes.every((code) => 'retryAfterMs' in problems[code])) names.push('Retry-After');
  if (operation.cost === 'start' && codes.includes('outcome-unknown')) names.push('Location');
  if (names.length === 0) return {};
  return { headers: z.object(Object.fromEntries(names.map((name) => [name, problemHeaders[name]]))) };
}
