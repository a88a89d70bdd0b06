import { expect } from 'vitest';
import { problems } from '../../src/problem-table.ts';
import type { ProblemCode } from '../../src/problems.ts';

/** An answer over the wire, its body parsed. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

const members = ['type', 'title', 'status', 'detail', 'instance', 'code', 'errors', 'retryable', 'effect'];

/** Words of the parts Portico is made of, and what stacks look like. */
const innards =
  /temporal|workflow|task.?queue|namespace|grpc|fastify|FST_|\bzod|postgres|relation|ECONN|ERR_|node_modules|\.[tj]s\b|\n\s*at /i;

/**
 * Checks what every problem owes its caller: media type, members, the verdict of the table, the headers that go with it,
 * and that nothing shows through of what lies behind. `path` is that of the request.
 */
export function checkProblem(answer: Answer, code: ProblemCode, path: string): void {
  const kind: { status: number; title: string; retryable: boolean; effect: string; retryAfterMs?: number } =
    problems[code];
  const { headers } = answer;
  const body = answer.body as Record<string, unknown>;
  expect(body).toMatchObject({
    type: `urn:portico:problem:${code}`,
    title: kind.title,
    status: kind.status,
    instance: path,
    code,
    retryable: kind.retryable,
    effect: kind.effect,
  });
  expect(answer.status).toBe(kind.status);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(Object.keys(body).filter((name) => ![...members, 'retryAfterMs'].includes(name))).toEqual([]);
  expect(JSON.stringify({ ...body, instance: '' })).not.toMatch(innards);

  const { retryAfterMs } = body;
  expect(typeof retryAfterMs).toBe(kind.retryAfterMs === undefined ? 'undefined' : 'number');
  expect(headers.get('retry-after')).toBe(
    retryAfterMs === undefined ? null : String(Math.ceil(Number(retryAfterMs) / 1_000)),
  );
  expect(headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  expect(headers.get('cache-control')).toBe('no-store');
  const challenge = headers.get('www-authenticate');
  if (answer.status === 401 || answer.status === 403) expect(challenge).toMatch(/^Bearer realm="portico"/);
  else expect(challenge).toBeNull();
}
