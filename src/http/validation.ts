import { z } from 'zod';
import { Problem, type ProblemError } from '../problems.ts';

const maxErrors = 20;

/** As a schema's own, without an error: zod's notes the place in the code, which takes longer than to parse. */
const safeParse = z.core._safeParse(
  class {
    readonly issues: z.core.$ZodIssue[];
    constructor(issues: z.core.$ZodIssue[]) {
      this.issues = issues;
    }
  } as unknown as Parameters<typeof z.core._safeParse>[0],
);

/** Parses one part of a request. Throws `invalid-request` with a pointer to each thing that is wrong. */
export function parsePart<Schema extends z.ZodType>(
  part: 'body' | 'query' | 'params',
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) => errorsOf(part, issue)).slice(0, maxErrors);
  throw new Problem('invalid-request', { detail: detailOf[part], errors });
}

const detailOf = {
  body: 'The body does not fit. Each error points to its place.',
  query: 'The query does not fit. Each error names its parameter.',
  params: 'The address does not fit. Each error names its parameter.',
} as const;

function errorsOf(part: 'body' | 'query' | 'params', issue: z.core.$ZodIssue): ProblemError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => place(part, [...issue.path, key], 'is not known here'));
  }
  return [place(part, issue.path, issue.message)];
}

function place(part: 'body' | 'query' | 'params', path: PropertyKey[], message: string): ProblemError {
  const names = path.map((name) => String(name).slice(0, 128));
  if (part !== 'body') return { parameter: names.join('.'), message };
  return { pointer: names.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''), message };
}
