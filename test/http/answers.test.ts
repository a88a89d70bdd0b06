import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Answer, Operation } from '../../src/operations/operation.ts';
import { appKey, jsonPost, startApp, type TestApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';
import { mintToken } from '../tokens/tokens.ts';

const event = (data: string) => `data: ${data}\n\n`;

/** What a stream was told, and whether it was let go. */
interface Watched {
  isReleased: boolean;
  signal?: AbortSignal;
}
const watched: Watched[] = [];

/** Gives one event, then waits until it is told to end. */
async function* untilTold(watch: Watched, signal: AbortSignal) {
  try {
    yield event('first');
    await sleep(600_000, undefined, { signal });
  } finally {
    watch.isReleased = true;
  }
}

const streams = { 200: { description: 'Events.', stream: 'text/event-stream', headers: ['ETag'] } } as const;

/** A stream, and what becomes of it. */
const streaming = (
  operationId: string,
  streamOf: (signal: AbortSignal, watch: Watched) => AsyncIterable<string | Uint8Array>,
): Operation =>
  probe({
    operationId,
    path: `/v1/${operationId}`,
    responses: streams,
    handle({ signal }) {
      const watch: Watched = { isReleased: false, signal };
      watched.push(watch);
      return Promise.resolve({ status: 200, stream: streamOf(signal, watch), headers: { ETag: '"s1"' } });
    },
  });

const late = { isDestroyed: false };

const operations: readonly Operation[] = [
  probe({
    operationId: 'deleteThing',
    method: 'DELETE',
    path: '/v1/things/{id}',
    permission: 'things:start',
    cost: 'action',
    understands: ['if-match'],
    params: z.object({ id: z.string() }),
    responses: { 204: { description: 'Gone.' } },
    handle: ({ ifMatch }) =>
      Promise.resolve({
        status: 204,
        ...(ifMatch === undefined ? {} : { headers: { ETag: JSON.stringify(ifMatch) } }),
      }),
  }),
  probe({
    operationId: 'getTagged',
    path: '/v1/tagged',
    understands: ['if-none-match', 'last-event-id'],
    responses: {
      200: { description: 'Anything.', body: z.unknown(), headers: ['ETag'] },
      304: { description: 'Not changed.', headers: ['ETag'] },
    },
    handle: ({ ifNoneMatch, lastEventId }) =>
      Promise.resolve(
        ifNoneMatch !== undefined && ifNoneMatch !== '*' && ifNoneMatch.some(({ value }) => value === 'v1')
          ? { status: 304, headers: { ETag: '"v1"' } }
          : { status: 200, body: { lastEventId }, headers: { ETag: '"v1"' } },
      ),
  }),
  probe({
    operationId: 'answerElse',
    path: '/v1/else/{status}',
    params: z.object({ status: z.coerce.number() }),
    responses: { 200: { description: 'A body.', body: z.unknown() }, 204: { description: 'Nothing.' } },
    handle: ({ params }): Promise<Answer> => {
      const status = Number(params['status']);
      return Promise.resolve(
        status === 200 ? { status, stream: Readable.from(['canary']) } : { status, body: 'canary' },
      );
    },
  }),
  streaming('quiet', (signal, watch) => untilTold(watch, signal)),
  // Takes no notice of its signal.
  streaming('deaf', async function* () {
    yield event('first');
    await new Promise(() => undefined);
  }),
  streaming('finite', async function* () {
    yield event('one');
    await sleep(150);
    yield Buffer.from(event('two'));
  }),
  streaming('readable', (_signal, watch) => {
    const readable = new Readable({ read: () => undefined });
    readable.push(event('first'));
    readable.once('close', () => (watch.isReleased = true));
    return readable;
  }),
  streaming('breaking', async function* () {
    yield event('first');
    await sleep(50);
    throw new Error('canary-of-a-stream');
  }),
  probe({
    operationId: 'lateStream',
    path: '/v1/lateStream',
    responses: streams,
    async handle({ signal }) {
      await once(signal, 'abort');
      const stream = new Readable({ read: () => undefined });
      stream.once('close', () => (late.isDestroyed = true));
      return { status: 200, stream };
    },
  }),
];

const limitMs = 100;
const start = () => startApp({ operations, limitMs });
const api = await start();
afterAll(api.stop);

/** Opens a stream and reads its first chunk. */
async function open(app: TestApp, path: string) {
  const caller = new AbortController();
  const headers = { Authorization: `Bearer ${mintToken(appKey)}` };
  const response = await fetch(app.url + path, { headers, signal: caller.signal });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const read = async () => {
    const { value } = await reader.read();
    return value === undefined ? undefined : Buffer.from(value).toString();
  };
  return { response, read, leave: () => caller.abort() };
}

const linesOf = (app: TestApp, operation: string) =>
  app.requestLines().filter((line) => line['operation'] === operation);

describe('an empty answer', () => {
  it('of DELETE is 204 without content', async () => {
    const { status, headers, text } = await api.send('/v1/things/t-1', { method: 'DELETE' });
    expect([status, text]).toEqual([204, '']);
    expect(headers.get('content-type')).toBeNull();
    expect(headers.get('content-length')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(linesOf(api, 'deleteThing').at(-1)).toMatchObject({ method: 'DELETE', status: 204 });
  });

  it('of DELETE is guarded like any other', async () => {
    expect((await api.send('/v1/things/t-1', { method: 'DELETE', authorization: null })).status).toBe(401);
    const authorization = `Bearer ${mintToken(appKey, { permissions: ['things:read'] })}`;
    expect((await api.send('/v1/things/t-1', { method: 'DELETE', authorization })).status).toBe(403);
    expect((await api.send('/v1/things/t-1', { method: 'PUT' })).headers.get('allow')).toBe('GET, HEAD, DELETE');
  });

  it('says 304 where nothing has changed', async () => {
    const unchanged = await api.send('/v1/tagged', { headers: { 'If-None-Match': 'W/"v0", W/"v1"' } });
    expect([unchanged.status, unchanged.text, unchanged.headers.get('etag')]).toEqual([304, '', '"v1"']);
    const changed = await api.send('/v1/tagged', { headers: { 'If-None-Match': '"v0"' } });
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"v1"']);
  });
});

describe('what a request carries', () => {
  it('reaches the operation that understands it', async () => {
    const headers = { 'If-Match': '"a", W/"b"' };
    const deleted = await api.send('/v1/things/t-1', { method: 'DELETE', headers });
    expect(JSON.parse(deleted.headers.get('etag') ?? '')).toEqual([
      { value: 'a', isWeak: false },
      { value: 'b', isWeak: true },
    ]);
    const { body } = await api.send('/v1/tagged', { headers: { 'Last-Event-ID': '41' } });
    expect(body).toEqual({ lastEventId: '41' });
  });

  it('is refused where ignoring it would do what the caller ruled out', async () => {
    const post = jsonPost({});
    for (const name of ['If-Match', 'If-None-Match']) {
      const headers = { 'Content-Type': 'application/json', [name]: '*' };
      expect(await api.send('/v1/things', { ...post, headers })).toMatchObject({
        status: 400,
        body: { code: 'invalid-request', retryable: false, effect: 'none', errors: [{ parameter: name }] },
      });
    }
    expect((await api.send('/v1/things/t-1', { headers: { 'If-None-Match': '*' } })).status).toBe(200);
  });
});

describe('an answer that its operation does not declare', () => {
  it.each([200, 204, 203])('is our fault: %i', async (status) => {
    const { status: answered, text } = await api.send(`/v1/else/${status}`);
    expect(answered).toBe(500);
    expect(text).not.toContain('canary');
  });
});

describe('a stream', () => {
  it('is sent as it comes, with its media type, and outlives the time limit of its handler', async () => {
    const { response, read } = await open(api, '/v1/finite');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('etag')).toBe('"s1"');
    expect(await read()).toBe(event('one'));
    expect(watched.at(-1)?.signal?.aborted).toBe(false);
    expect([await read(), await read()]).toEqual([event('two'), undefined]);
    await expect.poll(() => linesOf(api, 'finite')).toMatchObject([{ status: 200 }]);
  });

  it('begins before there is anything to send', async () => {
    const silent = streaming('silent', (signal) =>
      // eslint-disable-next-line require-yield
      (async function* () {
        await sleep(600_000, undefined, { signal });
      })(),
    );
    const other = await startApp({ operations: [silent], limitMs });
    const { response, leave } = await open(other, '/v1/silent');
    expect(response.status).toBe(200);
    leave();
    await other.stop();
  });

  it.each(['quiet', 'readable'])('of a caller who leaves is let go, and logged and counted once: %s', async (name) => {
    const other = await start();
    const { read, leave } = await open(other, `/v1/${name}`);
    expect(await read()).toBe(event('first'));
    expect(linesOf(other, name)).toEqual([]);
    leave();
    await expect.poll(() => watched.at(-1)?.isReleased).toBe(true);
    expect(watched.at(-1)?.signal?.aborted).toBe(true);
    await expect.poll(() => linesOf(other, name)).toMatchObject([{ status: 200, level: 'info' }]);
    await other.stop();
    expect(linesOf(other, name)).toHaveLength(1);
    expect(other.log()).not.toMatch(/"level":"(warn|error)"/);
    expect(await other.metrics.text()).toContain(`_count{method="GET",route="/v1/${name}",status="200"} 1`);
  });

  it.each(['quiet', 'deaf', 'readable'])('ends cleanly when the app closes: %s', async (name) => {
    const other = await start();
    const streamsOpen = await Promise.all(Array.from({ length: 12 }, () => open(other, `/v1/${name}`)));
    for (const { read } of streamsOpen) expect(await read()).toBe(event('first'));
    const startedAt = performance.now();
    const stopped = other.stop();
    for (const { read } of streamsOpen) expect(await read()).toBeUndefined();
    await stopped;
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(linesOf(other, name).map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect(other.log()).not.toMatch(/"level":"(warn|error)"/);
  });

  it('that begins while the app closes ends at once', async () => {
    let begin = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const slow = probe({
      operationId: 'slowStream',
      path: '/v1/slowStream',
      responses: streams,
      async handle({ signal }) {
        await begun;
        return { status: 200, stream: untilTold({ isReleased: false }, signal) };
      },
    });
    const other = await startApp({ operations: [slow] });
    const opened = open(other, '/v1/slowStream');
    await new Promise((resolve) => other.app.server.once('request', resolve));
    const stopped = other.stop();
    await expect.poll(() => other.app.server.listening).toBe(false);
    begin();
    expect((await opened).response.status).toBe(200);
    await stopped;
  });

  it('that breaks cuts the connection, so that nobody takes it for whole, and is in the log', async () => {
    const { read } = await open(api, '/v1/breaking');
    expect(await read()).toBe(event('first'));
    await expect(read()).rejects.toThrow();
    await expect.poll(() => linesOf(api, 'breaking')).toMatchObject([{ problem: 'internal' }]);
    expect(api.log()).toContain('canary-of-a-stream');
  });

  it('for HEAD is let go unread', async () => {
    const { status, headers, text } = await api.send('/v1/readable', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(headers.get('content-length')).toBeNull();
    await expect.poll(() => watched.at(-1)?.isReleased).toBe(true);
  });

  it('of a handler that is late is let go unread', async () => {
    expect(await api.send('/v1/lateStream')).toMatchObject({ status: 503, body: { code: 'database-unavailable' } });
    await expect.poll(() => late.isDestroyed).toBe(true);
  });
});
