import { afterAll, describe, expect, it } from 'vitest';
import { renderProblem } from '../../src/http/error-handler.ts';
import { problems } from '../../src/problem-table.ts';
import { Problem, type ProblemCode } from '../../src/problems.ts';
import { jsonPost, startApp } from '../harness/app.ts';

const api = await startApp({
  routes: (app) => {
    const config = { operationId: 'failLate', permission: 'public', cost: 'action' } as const;
    app.post('/v1/broken', { config }, () => {
      throw new TypeError('canary-of-a-library');
    });
    app.get('/v1/thrown', { config: { ...config, cost: 'read' } }, () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw 'canary-without-an-error';
    });
  },
});
afterAll(api.stop);

const codes = Object.keys(problems) as ProblemCode[];

describe('a problem', () => {
  it.each(codes)('%s goes over the wire as the table has it', async (code) => {
    const { status, headers, body } = await api.send(`/v1/problems/${code}?a=1`);
    const kind = new Problem(code).kind;
    expect(status).toBe(kind.status);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toEqual({
      type: `urn:portico:problem:${code}`,
      title: kind.title,
      status: kind.status,
      instance: `/v1/problems/${code}`,
      code,
      retryable: kind.retryable,
      effect: kind.effect,
      ...(kind.retryAfterMs === undefined ? {} : { retryAfterMs: kind.retryAfterMs }),
    });
    const seconds = kind.retryAfterMs === undefined ? null : String(kind.retryAfterMs / 1_000);
    expect(headers.get('retry-after')).toBe(seconds);
    expect(headers.has('www-authenticate')).toBe(status === 401 || status === 403);
  });

  it('asks to wait whole seconds, rounded up', () => {
    const waits = [0, 1, 999, 1_000, 1_001].map(
      (retryAfterMs) => renderProblem(new Problem('overloaded', { retryAfterMs }), '/').headers['Retry-After'],
    );
    expect(waits).toEqual(['0', '1', '1', '1', '2']);
  });

  it('carries detail, errors and headers of its own', () => {
    const errors = [{ pointer: '/a', message: 'is wrong' }];
    const problem = new Problem('forbidden', { detail: 'No.', errors, headers: { 'WWW-Authenticate': 'Bearer x' } });
    const { headers, text } = renderProblem(problem, '/v1/x');
    expect(headers['WWW-Authenticate']).toBe('Bearer x');
    expect(JSON.parse(text)).toMatchObject({ detail: 'No.', errors, instance: '/v1/x' });
  });
});

describe('what is no problem', () => {
  it.each([
    ['an error in a read, which had no effect', '/v1/broken', {}, 'none'],
    ['an error in a write, which may have had one', '/v1/broken', jsonPost({}), 'unknown'],
    ['something thrown that is no error', '/v1/thrown', {}, 'none'],
  ])('is our fault and shows nothing of itself: %s', async (_what, path, init, effect) => {
    const { status, body, text, headers } = await api.send(path, init);
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: 'internal', retryable: true, effect });
    expect(text + JSON.stringify([...headers])).not.toMatch(/canary|TypeError|\.ts|node_modules/);
  });

  it('is in the log with its causes', async () => {
    await api.send('/v1/broken', { headers: { 'X-Request-Id': 'find-me' } });
    const lines = api
      .log()
      .split('\n')
      .filter((line) => line.includes('find-me'));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      requestId: 'find-me',
      problem: 'internal',
      err: { type: 'Error', message: 'canary-of-a-library', cause: { message: 'canary-below' } },
    });
  });
});
