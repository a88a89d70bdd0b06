import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { problems } from '../problem-table.ts';
import { type ProblemCode, problemMediaType } from '../problems.ts';
import {
  answerExamplesOf,
  exampleComponentsOf,
  type Examples,
  noExamples,
  otherProblemsOf,
  problemExamplesOf,
} from './openapi-examples.ts';
import { problemHeaders, responseHeaders } from './openapi-headers.ts';
import { problemBody } from './openapi-problem.ts';
import { lines, requestContentOf, requestHeadersOf } from './openapi-requests.ts';
import { dependenciesOf, type Operation, perItem, type ResponseDeclaration } from './operation.ts';
import type { TagDescriptions } from './tags.ts';

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

/** The OpenAPI 3.1 document of a list of operations. An operation without examples is shown without. */
export function renderOpenApi(
  operations: readonly Operation[],
  version: string,
  examples: Examples = noExamples,
  tags: TagDescriptions = {},
) {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  const shown = new Set<ProblemCode>();
  for (const operation of operations) {
    // A problem that nearly every operation can have is shown at the first of them, the operation's own at each.
    const shows = codesOf(operation).filter((code) => operation.problems.includes(code) || !shown.has(code));
    for (const code of shows) shown.add(code);
    const described = toOperationObject(operation, examples, shows);
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = described;
  }
  const document = createDocument({
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
      ...(tags[name] ?? { description: `Everything about ${name}.` }),
    })),
    paths: paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      ...exampleComponentsOf(examples, shown),
    },
  });
  const schema = document.components?.schemas?.['Problem'];
  const others = otherProblemsOf(examples, shown);
  // What no operation can have, such as `method-not-allowed`, is an example of the schema.
  if (schema !== undefined && !('$ref' in schema) && others.length > 0) schema.examples = others;
  return document;
}

function toOperationObject(
  operation: Operation,
  examples: Examples,
  shows: readonly ProblemCode[],
): ZodOpenApiOperationObject {
  return {
    operationId: operation.operationId,
    summary: operation.summary,
    tags: [operation.tag],
    description: whoMay(operation),
    'x-permission': operation.permission,
    requestParams: {
      ...(operation.params === undefined ? {} : { path: operation.params }),
      ...(operation.query === undefined ? {} : { query: operation.query }),
      header: requestHeadersOf(operation),
    },
    ...(operation.body === undefined
      ? {}
      : {
          requestBody: {
            required: operation.bodyIsOptional !== true,
            content: requestContentOf(operation, operation.body, examples),
          },
        }),
    responses: { ...answersOf(operation, examples), ...problemsOf(operation, examples, shows) },
  };
}

const whoMay = ({ permission }: Operation): string =>
  permission === perItem
    ? 'Needs a token. Each item needs the permission of its own operation.'
    : `Needs the permission \`${permission}\`.`;

const answersOf = (operation: Operation, examples: Examples) =>
  Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => [
      status,
      {
        description: response.description,
        ...contentOf(response, answerExamplesOf(operation, status, examples)),
        ...headersOf(response),
      },
    ]),
  );

function contentOf({ body, stream }: ResponseDeclaration, shown: ReturnType<typeof answerExamplesOf>) {
  if (body === undefined && stream === undefined) return {};
  return {
    content: {
      ...(body === undefined ? {} : { 'application/json': { schema: body, ...shown } }),
      ...(stream === undefined ? {} : { [stream]: { schema: body === undefined ? z.string() : lines } }),
    },
  };
}

const headersOf = ({ headers = [] }: ResponseDeclaration) =>
  headers.length === 0
    ? {}
    : { headers: z.object(Object.fromEntries(headers.map((name) => [name, responseHeaders[name]]))) };

/** Every problem that the operation can have, its own first. */
function codesOf(operation: Operation): ProblemCode[] {
  const isRead = operation.method === 'GET';
  const own: ProblemCode[] = [
    ...operation.problems,
    ...(operation.params === undefined ? [] : ['uri-too-long' as const]),
    ...(isRead ? [] : bodyProblems),
  ];
  const asked = dependenciesOf(operation);
  const dependencies: ProblemCode[] = [
    ...asked.map((each) => `${each}-unavailable` as const),
    ...(isRead || operation.items !== undefined ? [] : ['outcome-unknown' as const]),
    ...(isRead && asked.includes('orchestration') ? ['orchestration-timeout' as const] : []),
  ];
  return [...new Set([...own, ...dependencies, ...commonProblems])];
}

/** One response for each status, whose description lists the codes that come with it. Of these some are shown. */
function problemsOf(operation: Operation, examples: Examples, shows: readonly ProblemCode[]) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codesOf(operation)) {
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
          'x-problem-codes': codes,
          ...headersOfProblem(operation, status, codes),
          content: {
            [problemMediaType]: {
              schema: problemBody,
              ...problemExamplesOf(
                codes.filter((code) => shows.includes(code)),
                examples,
              ),
            },
          },
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
