import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { ProblemCode } from '../problems.ts';
import type { Operation } from './operation.ts';

/** One request and its answer, as they went over the wire. */
const exchange = z.strictObject({
  type: z.string().optional().describe('The media type of the request, where it is another than application/json.'),
  request: z.unknown().optional().describe('The body; absent where there was none.'),
  status: z.int(),
  answer: z.unknown().optional().describe('The body; absent where there was none.'),
});

/** By `METHOD path` of the operation, which outlives its id, and by a name that says what the example shows. */
export const exchangesByOperation = z.record(z.string(), z.record(z.string(), exchange));

export const problemsByCode = z.record(z.string(), z.record(z.string(), z.unknown()));

export type Exchange = z.output<typeof exchange>;
export type Exchanges = z.output<typeof exchangesByOperation>;

/** What the OpenAPI document shows. An operation that is not among them has no examples. */
export interface Examples {
  readonly exchanges: Exchanges;
  readonly problems: z.output<typeof problemsByCode>;
}

export const noExamples: Examples = { exchanges: {}, problems: {} };

/** `POST /v1/transfers/{id}/approve`: what examples are kept under. */
export const exampleKeyOf = ({ method, path }: Pick<Operation, 'method' | 'path'>): string => `${method} ${path}`;

type Named = Record<string, { readonly value: unknown }>;

/** The members of a media type that show these examples; none where there is nothing to show. */
const asMember = (named: readonly (readonly [name: string, value: unknown])[]): { examples?: Named } =>
  named.length === 0 ? {} : { examples: Object.fromEntries(named.map(([name, value]) => [name, { value }])) };

/** The examples of a request body of this media type, each body once. */
export function requestExamplesOf(
  operation: Pick<Operation, 'method' | 'path'>,
  { exchanges }: Examples,
  mediaType: string,
) {
  const sent = Object.entries(exchanges[exampleKeyOf(operation)] ?? {}).filter(
    ([, { type = 'application/json', request }], index, all) =>
      request !== undefined &&
      type === mediaType &&
      all.findIndex(([, other]) => isDeepStrictEqual(other.request, request)) === index,
  );
  return asMember(sent.map(([name, { request }]) => [name, request]));
}

export function answerExamplesOf(operation: Operation, status: string, { exchanges }: Examples) {
  const given = Object.entries(exchanges[exampleKeyOf(operation)] ?? {}).filter(
    ([, each]) => String(each.status) === status && each.answer !== undefined,
  );
  return asMember(given.map(([name, { answer }]) => [name, answer]));
}

/** References to the examples of these problems, which stand once in the components. */
export function problemExamplesOf(codes: readonly ProblemCode[], { problems }: Examples) {
  const known = codes.filter((code) => problems[code] !== undefined);
  if (known.length === 0) return {};
  return { examples: Object.fromEntries(known.map((code) => [code, { $ref: `#/components/examples/${code}` }])) };
}

/** The part of the components that {@link problemExamplesOf} refers to: the problems that some operation shows. */
export const exampleComponentsOf = ({ problems }: Examples, shown: ReadonlySet<string>) =>
  asMember(Object.entries(problems).filter(([code]) => shown.has(code)));

/** The problems that no operation shows. */
export const otherProblemsOf = ({ problems }: Examples, shown: ReadonlySet<string>): unknown[] =>
  Object.entries(problems)
    .filter(([code]) => !shown.has(code))
    .map(([, body]) => body);
