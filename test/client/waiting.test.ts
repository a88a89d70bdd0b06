import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createPortico } from '../../client/src/index.ts';
import { htmlStep, problemStep, startScriptedServer, type Step } from './scripted-server.ts';

const running: Step = { status: 202, body: { id: 'a', status: 'running' } };
const closed: Step = { status: 200, body: { id: 'a', status: 'closed', outcome: 'completed' } };
const held: Step = { ...running, headers: { 'Preference-Applied': 'wait=25' } };

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  );
const clientOf = (baseUrl: string) => createPortico({ baseUrl, token: () => 'secret-token', retry: { baseMs: 4 } });

describe('waiting for the end', () => {
  it('asks again at once while Portico holds its answers', async () => {
    await using server = await startScriptedServer(held, held, closed);
    expect(await clientOf(server.url).transfers.result('a', { timeoutMs: 60_000 })).toMatchObject({ status: 'closed' });
    expect(server.received.map(({ headers }) => headers.prefer)).toEqual(['wait=25', 'wait=25', 'wait=25']);
  });

  it('pauses before it asks again where Portico answers at once', async () => {
    await using server = await startScriptedServer(running, closed);
    await clientOf(server.url).transfers.result('a', { timeoutMs: 60_000 });
    expect(server.gapMs()).toBeGreaterThanOrEqual(995);
  });

  it('gives the running instance once the time is over', async () => {
    await using server = await startScriptedServer(running);
    expect(await clientOf(server.url).transfers.result('a', { timeoutMs: 300 })).toEqual({
      id: 'a',
      status: 'running',
    });
    expect(server.received.length).toBeLessThanOrEqual(3);
    expect(server.received.filter(({ headers }) => headers.prefer !== undefined)).toEqual([]);
  });

  it('does not outlast its time with attempts that fail', async () => {
    await using server = await startScriptedServer(problemStep('overloaded', { retryAfterMs: 2_000 }));
    const failure = await failureOf(clientOf(server.url).transfers.result('a', { timeoutMs: 1_000 }));
    expect(failure).toMatchObject({ code: 'overloaded' });
    expect(server.received).toHaveLength(1);
  });
});

describe('an aborted call', () => {
  it.each<[string, Step]>([
    ['while nothing comes', 'hang'],
    ['between two attempts', htmlStep(503, { 'Retry-After': '20' })],
    ['between two polls', running],
  ])('ends with the reason of the signal %s', async (_, step) => {
    await using server = await startScriptedServer(step);
    const stop = new AbortController();
    const ended = failureOf(clientOf(server.url).transfers.result('a', { timeoutMs: 60_000, signal: stop.signal }));
    while (server.received.length === 0) await new Promise(setImmediate);
    setTimeout(() => stop.abort('enough'), 50);
    expect(await ended).toBe('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('ends while a token is waited for, and sends nothing where it was aborted before', async () => {
    await using server = await startScriptedServer(closed);
    const portico = createPortico({ baseUrl: server.url, token: () => new Promise(() => undefined) });
    expect(await failureOf(portico.transfers.get('a', { signal: AbortSignal.timeout(50) }))).toMatchObject({
      name: 'TimeoutError',
    });
    expect(await failureOf(clientOf(server.url).transfers.get('a', { signal: AbortSignal.abort('no') }))).toBe('no');
    expect(server.received).toEqual([]);
  });

  it('leaves nothing on a signal that lives on', async () => {
    await using server = await startScriptedServer(closed);
    const { signal } = new AbortController();
    for (let call = 0; call < 20; call += 1) await clientOf(server.url).transfers.get('a', { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('tokens', () => {
  it('are asked for once, and renewed once when they are refused, by many calls together', async () => {
    await using server = await startScriptedServer(({ headers }) =>
      headers.authorization === 'Bearer token-2' ? closed : problemStep('unauthenticated'),
    );
    const asked: boolean[] = [];
    const portico = createPortico({
      baseUrl: server.url,
      token: ({ renew }) => `token-${asked.push(renew)}`,
    });
    await Promise.all(Array.from({ length: 10 }, () => portico.transfers.get('a')));
    await portico.transfers.get('a');
    expect(asked).toEqual([false, true]);
    expect(server.received).toHaveLength(21);
  });

  it('that are refused again end the call', async () => {
    await using server = await startScriptedServer(problemStep('unauthenticated'));
    expect(await failureOf(clientOf(server.url).transfers.get('a'))).toMatchObject({ code: 'unauthenticated' });
    expect(server.received).toHaveLength(2);
  });

  it('that could not be had fail that call alone', async () => {
    await using server = await startScriptedServer(closed);
    let isDown = true;
    const token = () => (isDown ? Promise.reject(new Error('no issuer')) : 'later');
    const portico = createPortico({ baseUrl: server.url, token });
    expect(await failureOf(portico.transfers.get('a'))).toMatchObject({ message: 'no issuer' });
    isDown = false;
    expect(await portico.transfers.get('a')).toMatchObject({ status: 'closed' });
  });

  it('are in no error, also where they cannot be sent', async () => {
    await using server = await startScriptedServer(htmlStep(502), 'cut', problemStep('unauthenticated'));
    for (const secret of ['secret-token', 'secret-token\nof two lines']) {
      const portico = createPortico({ baseUrl: server.url, token: () => secret, retry: false });
      for (let call = 0; call < 3; call += 1) {
        const failure = await failureOf(portico.transfers.get('a'));
        expect(failure).toBeInstanceOf(Error);
        expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain('secret-token');
      }
    }
  });
});

describe('addresses', () => {
  it('keep the path of the base and encode ids', async () => {
    await using server = await startScriptedServer(closed);
    const portico = clientOf(`${server.url}/money/`);
    await portico.transfers.get('a/b?c#d');
    await portico.schedules.preview('night', { count: 3 });
    expect(server.received.map(({ url }) => url)).toEqual([
      '/money/v1/transfers/a%2Fb%3Fc%23d',
      '/money/v1/schedules/night/preview?count=3',
    ]);
  });

  it.each(['', '.', '..'])('are not made of the id "%s", which would be lost in one', async (id) => {
    await using server = await startScriptedServer(closed);
    expect(await failureOf(clientOf(server.url).transfers.cancel(id))).toBeInstanceOf(TypeError);
    expect(server.received).toEqual([]);
  });

  it('of lists carry filters and the cursor of the page before', async () => {
    await using server = await startScriptedServer(
      { status: 200, body: { items: [{ id: '1' }, { id: '2' }], cursor: 'next+' } },
      { status: 200, body: { items: [{ id: '3' }] } },
    );
    const ids: string[] = [];
    for await (const { id } of clientOf(server.url).transfers.list({ status: 'running', limit: 2 })) ids.push(id);
    expect(ids).toEqual(['1', '2', '3']);
    expect(server.received.map(({ url }) => url)).toEqual([
      '/v1/transfers?status=running&limit=2',
      '/v1/transfers?status=running&limit=2&cursor=next%2B',
    ]);
  });
});
