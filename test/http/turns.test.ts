import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cost, Operation } from '../../src/operations/operation.ts';
import { createAdmission } from '../../src/overload/admission.ts';
import { usualRules } from '../../src/overload/cost-rules.ts';
import { jsonPost, rawExchange, startApp, type TestApp } from '../harness/app.ts';
import { appKey } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';
import { mintToken } from '../tokens/tokens.ts';

const running: TestApp[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((api) => api.stop()));
});

const isPatient = (query: unknown): boolean => typeof query === 'object' && query !== null && 'patient' in query;

/** An app with one operation of each cost that answers when the test says so; two at once, one for those who give way. */
async function startBusyApp({ patienceMs = 60_000 } = {}) {
  const shed: string[] = [];
  const limits = { floor: 2, ceiling: 2, yieldedLimit: 1, patienceMs };
  const rules = Object.fromEntries(Object.entries(usualRules).map(([cost, usual]) => [cost, { ...usual, ...limits }]));
  const admission = createAdmission({
    countShed: (operation) => shed.push(operation),
    rules: rules as unknown as typeof usualRules,
  });
  const held: { readonly cost: Cost; readonly answer: () => void }[] = [];
  const operationOf = (cost: Cost, other: Partial<Operation> = {}): Operation =>
    probe({
      ...{ operationId: `hold-${cost}`, path: `/v1/hold-${cost}`, cost, process: 'things', ...other },
      handle: (call) =>
        new Promise((resolve) => {
          const answer = () => resolve({ status: 200, body: {} });
          if (isPatient(call.query)) call.endTurn();
          held.push({ cost, answer });
        }),
    });
  const post = { method: 'POST' } as const;
  const operations = [
    operationOf('start', post),
    operationOf('action', post),
    operationOf('read'),
    operationOf('list'),
  ];
  const api = await startApp({ admission, operations, limitMs: 30_000 });
  running.push(api);
  const isHeld = async (count: number) => expect.poll(() => held.length, { timeout: 5_000 }).toBe(count);
  return {
    api,
    admission,
    shed,
    start: (init: RequestInit & { authorization?: string } = {}) =>
      api.send('/v1/hold-start', { ...jsonPost({}), ...init }),
    list: () => api.send('/v1/hold-list'),
    isHeld,
    answerAll: () => held.splice(0).forEach(({ answer }) => answer()),
    standing: (cost: Cost) => admission.read().find(({ operation }) => operation === `hold-${cost}`),
  };
}

describe('an app with little room', () => {
  it('goes on with starts while it sheds lists, by a 503 without effect', async () => {
    const { list, start, isHeld, answerAll, shed } = await startBusyApp({ patienceMs: 250 });
    const starting = start();
    const listing = list();
    await isHeld(2);
    const refused = await list();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.body).toMatchObject({ code: 'overloaded', retryable: true, effect: 'none' });
    expect(refused.body['retryAfterMs']).toBeGreaterThanOrEqual(1_000);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(shed).toEqual(['hold-list']);
    const another = start();
    await isHeld(3);
    answerAll();
    expect((await Promise.all([starting, another, listing])).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('keeps no room for a caller who went while waiting', async () => {
    const { start, isHeld, answerAll, standing, shed } = await startBusyApp();
    const under = [start(), start()];
    await isHeld(2);
    const caller = new AbortController();
    const gone = start({ signal: caller.signal }).catch(() => 'gone');
    await expect.poll(() => standing('start')?.waiting).toBe(1);
    caller.abort();
    expect(await gone).toBe('gone');
    await expect.poll(() => standing('start')?.waiting, { timeout: 5_000 }).toBe(0);
    answerAll();
    await Promise.all(under);
    await expect.poll(() => standing('start')?.underWay).toBe(0);
    expect(shed).toEqual([]);
  });

  it('closes while requests wait, and answers all of them', async () => {
    const { api, start, isHeld, answerAll, standing } = await startBusyApp();
    const under = [start(), start()];
    await isHeld(2);
    const waiting = [start(), start()];
    await expect.poll(() => standing('start')?.waiting).toBe(2);
    const closed = api.app.close();
    await sleep(50);
    answerAll();
    await isHeld(2);
    answerAll();
    expect((await Promise.all([...under, ...waiting])).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await closed;
  });

  it('counts nobody who waits for something by design', async () => {
    const { api, isHeld, answerAll, standing } = await startBusyApp();
    const waiting = Array.from({ length: 5 }, () => api.send('/v1/hold-start?patient=yes', jsonPost({})));
    await isHeld(5);
    expect(standing('start')).toMatchObject({ underWay: 0, waiting: 0 });
    answerAll();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('refuses before the body has come', async () => {
    const { api, start, isHeld, answerAll, standing } = await startBusyApp({ patienceMs: 1_000 });
    const under = [start(), start()];
    await isHeld(2);
    // As many wait as can be served while they do.
    const waiting = Array.from({ length: 100 }, () => start());
    await expect.poll(() => standing('start')?.waiting).toBeGreaterThan(50);
    const head = `POST /v1/hold-start HTTP/1.1\r\nHost: portico\r\nAuthorization: Bearer ${mintToken(appKey)}\r\n`;
    const { text } = await rawExchange(api.port, [
      `${head}Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`,
    ]);
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    const statuses = (await Promise.all(waiting)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    answerAll();
    await Promise.all(under);
  });

  it('gives back the room of a handler that fails or takes too long', async () => {
    const admission = createAdmission({ countShed: () => undefined });
    const api = await startApp({ admission });
    running.push(api);
    const slow = [api.send('/v1/slow'), api.send('/v1/slow', jsonPost({})), api.send('/v1/broken')];
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([504, 504, 500]);
    expect(admission.read().filter(({ underWay, waiting }) => underWay + waiting > 0)).toEqual([]);
  });
});
