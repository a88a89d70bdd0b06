import { describe, expect, it } from 'vitest';
import { createPortico, PorticoProblem, PorticoUnreachable } from '../../client/src/index.ts';
import { createRetries } from '../../client/src/retry.ts';
import { htmlStep, problemStep, startScriptedServer, type Step } from './scripted-server.ts';

const instance = {
  id: 'invoice-1',
  status: 'running',
  startedAt: '2026-12-01T09:30:00.000Z',
  links: {},
  step: 'opening',
};
const accepted: Step = { status: 202, headers: { 'Idempotency-Status': 'created' }, body: instance };
const transfer = { transferId: 'invoice-1', from: 'a', to: 'b', amount: { minor: '100', currency: 'EUR' as const } };
const task = { at: '2027-01-01T00:00:00Z', webhook: { endpoint: 'e', payload: {} } };
const schedule = { name: 's' } as never;

const fast = { baseMs: 4, maxMs: 20 };
const clientOf = (url: string, retry: object | false = fast, attemptMs = 5_000) =>
  createPortico({ baseUrl: url, token: () => 'secret-token', retry, attemptMs });

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  );

describe('a request that failed', () => {
  it.each<[string, Step]>([
    ['a problem that may pass', problemStep('orchestration-unavailable', { retryAfterMs: 5 })],
    ['an unknown effect', problemStep('outcome-unknown', { retryAfterMs: 5 })],
    ['a gateway that has no Portico', htmlStep(502)],
    ['a line that is cut', 'cut'],
    ['an answer that is cut', 'cut-answer'],
  ])('is sent again with the same key and body after %s', async (_, step) => {
    await using server = await startScriptedServer(step, step, accepted);
    const portico = clientOf(server.url);
    expect(await portico.delayedTasks.start(task as never)).toEqual({ ...instance, idempotencyStatus: 'created' });
    expect(server.received).toHaveLength(3);
    const [first, ...others] = server.received.map(({ headers, body }) => ({ key: headers['idempotency-key'], body }));
    expect(first?.key).toMatch(/^[0-9a-f]{32}$/);
    expect(others).toEqual([first, first]);
  });

  it('is not sent again where the verdict says so, and the problem is told', async () => {
    await using server = await startScriptedServer(problemStep('idempotency-mismatch', { detail: 'other amount' }));
    const failure = await failureOf(clientOf(server.url).transfers.start(transfer));
    expect(failure).toBeInstanceOf(PorticoProblem);
    expect(failure).toMatchObject({
      status: 422,
      code: 'idempotency-mismatch',
      retry: { retryable: false, effect: 'none' },
      problem: { detail: 'other amount' },
    });
    expect(server.received).toHaveLength(1);
  });

  it('without a key is sent again only where it did nothing', async () => {
    await using unknown = await startScriptedServer(problemStep('internal', { retryAfterMs: 1 }));
    expect(await failureOf(clientOf(unknown.url).schedules.create(schedule))).toMatchObject({ code: 'internal' });
    expect(unknown.received).toHaveLength(1);
    await using cut = await startScriptedServer('cut');
    expect(await failureOf(clientOf(cut.url).schedules.create(schedule))).toBeInstanceOf(PorticoUnreachable);
    expect(cut.received).toHaveLength(1);
    await using none = await startScriptedServer(problemStep('overloaded', { retryAfterMs: 1 }), {
      status: 201,
      body: {},
    });
    await clientOf(none.url).schedules.create(schedule);
    expect(none.received).toHaveLength(2);
  });

  it.each([
    ['not there', 404],
    ['a redirect', 302],
    ['nothing at all, which is no answer of Portico', 200],
  ])('is not sent again after %s', async (_, status) => {
    await using other = await startScriptedServer(accepted);
    const headers: Record<string, string> = status === 302 ? { Location: other.url } : {};
    await using server = await startScriptedServer({ status, headers });
    const failure = await failureOf(clientOf(server.url).transfers.start(transfer));
    expect(failure).toBeInstanceOf(PorticoUnreachable);
    expect(failure).toMatchObject({ status });
    expect([server.received.length, other.received.length]).toEqual([1, 0]);
  });

  it('is sent once where there are to be no retries', async () => {
    await using server = await startScriptedServer(htmlStep(503));
    expect(await failureOf(clientOf(server.url, false).transfers.get('a'))).toMatchObject({ status: 503 });
    expect(server.received).toHaveLength(1);
  });
});

describe('the time until it is sent again', () => {
  it('is never shorter than what was asked for, by a problem or by a gateway', async () => {
    await using problem = await startScriptedServer(problemStep('overloaded', { retryAfterMs: 150 }), accepted);
    await clientOf(problem.url).transfers.start(transfer);
    expect(problem.gapMs()).toBeGreaterThanOrEqual(145);
    await using gateway = await startScriptedServer(htmlStep(503, { 'Retry-After': '1' }), accepted);
    await clientOf(gateway.url).transfers.start(transfer);
    expect(gateway.gapMs()).toBeGreaterThanOrEqual(995);
  });

  it('is drawn from all of a span that doubles up to a bound', () => {
    const retries = createRetries({ baseMs: 100, maxMs: 300, budget: 1 });
    for (const [attempt, spanMs] of [
      [1, 100],
      [2, 200],
      [3, 300],
      [4, 300],
    ] as const) {
      const pauses = Array.from({ length: 500 }, () => {
        retries.earn();
        return retries.pauseAfter(new PorticoUnreachable('cut'), { attempt, sinceMs: 0, isRepeatable: true }) ?? NaN;
      });
      expect(Math.min(...pauses)).toBeLessThan(spanMs / 10);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(spanMs);
      expect(Math.max(...pauses)).toBeGreaterThan(spanMs * 0.9);
    }
  });

  it('ends with the time for all attempts', async () => {
    await using server = await startScriptedServer(problemStep('limit-reached', { retryAfterMs: 60_000 }));
    const portico = clientOf(server.url, { ...fast, totalMs: 50_000 });
    expect(await failureOf(portico.transfers.start(transfer))).toMatchObject({ code: 'limit-reached' });
    expect(server.received).toHaveLength(1);
  });

  it('bounds each attempt', async () => {
    await using server = await startScriptedServer('hang');
    const failure = await failureOf(clientOf(server.url, { ...fast, attempts: 2 }, 100).transfers.get('a'));
    expect(failure).toMatchObject({ name: 'PorticoUnreachable', status: undefined });
    expect(server.received).toHaveLength(2);
  });

  it('is none once the requests of the client have used their retries up', async () => {
    await using server = await startScriptedServer(htmlStep(503));
    const portico = clientOf(server.url, { baseMs: 1, maxMs: 1 });
    const failures = await Promise.all(Array.from({ length: 40 }, () => failureOf(portico.transfers.get('a'))));
    expect(failures.every((failure) => failure instanceof PorticoUnreachable)).toBe(true);
    // Ten that a client has at first, and one for each ten requests.
    expect(server.received.length).toBeGreaterThanOrEqual(50);
    expect(server.received.length).toBeLessThanOrEqual(54);
  });
});
