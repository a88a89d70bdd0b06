import { connect } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { appKey, parseResponse, rawExchange, startApp } from '../harness/app.ts';
import { mintToken } from '../tokens/tokens.ts';

const api = await startApp();
afterAll(api.stop);

const authorization = `Authorization: Bearer ${mintToken(appKey)}\r\n`;
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const closing = 'Connection: close\r\n';
const postHead = `POST /v1/things HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\n`;

describe('bytes that are no HTTP', () => {
  it.each([
    ['a bad method', 'FETCH / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001'],
    ['another protocol version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
    ['a header without colon', 'GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n'],
    ['a bare line feed in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rX: y\r\n\r\n'],
    ['a length that is no number', `${postHead}Content-Length: -1\r\n\r\n{}`],
    ['two lengths', `${postHead}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['length and chunks', `${postHead}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two transfer codings', `${postHead}Transfer-Encoding: gzip, chunked, gzip\r\n\r\n0\r\n\r\n`],
  ])('such as %s are 400 as a problem, and the connection is closed', async (_what, bytes) => {
    const { text } = await rawExchange(api.port, [bytes]);
    const { status, headers, body, rest } = parseResponse(text);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({ code: 'malformed-request', status: 400, retryable: false, effect: 'none' });
    expect(rest).toBe('');
  });

  it('such as a chunk that is no number are 400 although the request had begun', async () => {
    const { text } = await rawExchange(api.port, [`${postHead}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`]);
    expect(parseResponse(text)).toMatchObject({
      status: 400,
      body: { code: 'malformed-request', instance: '/v1/things' },
    });
  });

  it('such as headers beyond 16 KiB are 431', async () => {
    const { text } = await rawExchange(api.port, [get('/v1/public', `X: ${'x'.repeat(17_000)}\r\n`)]);
    expect(parseResponse(text)).toMatchObject({ status: 431, body: { code: 'headers-too-large' } });
  });

  it('such as an address beyond 16 KiB are 431', async () => {
    const { text } = await rawExchange(api.port, [get(`/${'x'.repeat(17_000)}`)]);
    expect(parseResponse(text)).toMatchObject({ status: 431 });
  });

  it('such as chunk extensions without end are 413', async () => {
    const { text } = await rawExchange(api.port, [
      `${postHead}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}`,
    ]);
    expect(parseResponse(text)).toMatchObject({ status: 413, body: { code: 'body-too-large' } });
  });

  it('after a whole request do not take its answer away', async () => {
    const { text } = await rawExchange(api.port, [`${get('/v1/slow', authorization)}nonsense\r\n\r\n`]);
    const { status, rest } = parseResponse(text);
    expect(status).toBe(504);
    expect(rest).toBe('');
  });

  it('after an answer are answered once', async () => {
    const { text } = await rawExchange(api.port, [get('/v1/public'), { afterMs: 100, text: 'nonsense\r\n\r\n' }]);
    const first = parseResponse(text);
    expect(first.status).toBe(200);
    expect(parseResponse(first.rest)).toMatchObject({ status: 400, rest: '' });
  });
});

describe('slow callers', () => {
  it('are told 408 when the headers do not end', async () => {
    const { text, afterMs } = await rawExchange(api.port, ['GET /v1/public HTTP/1.1\r\nHost: x\r\nX: ']);
    expect(parseResponse(text)).toMatchObject({ status: 408, body: { code: 'request-timeout', retryable: true } });
    expect(afterMs).toBeGreaterThan(2_500);
    expect(afterMs).toBeLessThan(30_000);
  });

  it('are told 408 when the body does not end, byte by byte or not', async () => {
    const drip = Array.from({ length: 80 }, () => ({ afterMs: 500, text: ' ' }));
    const { text, afterMs } = await rawExchange(api.port, [`${postHead}Content-Length: 50\r\n\r\n{`, ...drip]);
    const { status, headers, body } = parseResponse(text);
    expect(status).toBe(408);
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(body).toMatchObject({ code: 'request-timeout', instance: '/v1/things' });
    expect(afterMs).toBeLessThan(30_000);
    expect(api.requestLines().at(-1)).toMatchObject({ operation: 'startThing', status: 408 });
  });

  it('that say nothing at all do not keep others out', async () => {
    const sockets = Array.from({ length: 100 }, () => connect(api.port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => undefined);
    expect((await api.send('/v1/public')).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

describe('unusual requests', () => {
  it('without Host are 400 as a problem', async () => {
    const { text } = await rawExchange(api.port, [`GET /v1/public HTTP/1.1\r\n${closing}\r\n`]);
    expect(parseResponse(text)).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });

  it.each([
    ['without Host', ''],
    ['with two Hosts', 'Host: x\r\nHost: x\r\n'],
  ])('%s are 400 whoever sends them', async (_what, hosts) => {
    for (const token of ['', authorization]) {
      const bytes = `GET /v1/things/t-1 HTTP/1.1\r\n${hosts}${token}${closing}\r\n`;
      expect(parseResponse((await rawExchange(api.port, [bytes])).text)).toMatchObject({
        status: 400,
        body: { code: 'malformed-request' },
      });
    }
  });

  it('of HTTP/1.0 need no Host', async () => {
    const { text } = await rawExchange(api.port, ['GET /v1/public HTTP/1.0\r\n\r\n']);
    expect(parseResponse(text).status).toBe(200);
  });

  it('with an absolute address are routed by its path', async () => {
    const { text } = await rawExchange(api.port, [get('http://x/v1/public', closing)]);
    expect(parseResponse(text).status).toBe(200);
  });

  it('that expect what nobody knows are answered all the same', async () => {
    const { text } = await rawExchange(api.port, [get('/v1/public', `Expect: the-unexpected\r\n${closing}`)]);
    expect(parseResponse(text).status).toBe(200);
  });

  it('that want another protocol are answered over this one', async () => {
    const { text } = await rawExchange(api.port, [
      get('/v1/public', 'Connection: Upgrade, close\r\nUpgrade: websocket\r\n'),
    ]);
    expect(parseResponse(text).status).toBe(200);
  });

  it('with two Authorization headers are 401', async () => {
    const { text } = await rawExchange(api.port, [get('/v1/things/t-1', authorization + authorization + closing)]);
    expect(parseResponse(text)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  it('on one connection are answered in order', async () => {
    const bytes = get('/v1/public') + get('/nowhere') + get('/v1/public', closing);
    const first = parseResponse((await rawExchange(api.port, [bytes])).text);
    const second = parseResponse(first.rest);
    expect([first.status, second.status, parseResponse(second.rest).status]).toEqual([200, 404, 200]);
  });
});

describe('closing', () => {
  it('lets what is in flight end, and answers 503 on connections that are still open', async () => {
    const other = await startApp();
    const open = () => {
      const socket = connect(other.port, '127.0.0.1');
      const received: Buffer[] = [];
      const isClosed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      socket.on('data', (chunk) => received.push(chunk));
      return { socket, isClosed, reply: () => parseResponse(Buffer.concat(received).toString()) };
    };
    const [inFlight, arriving] = [open(), open()];
    arriving.socket.write(get('/v1/public').slice(0, -2));
    inFlight.socket.write(get('/v1/slow', authorization));
    await expect.poll(() => other.app.server.listening).toBe(true);
    await new Promise((resolve) => other.app.server.once('request', resolve));
    const closed = other.stop();
    await expect.poll(() => other.app.server.listening).toBe(false);
    arriving.socket.write('\r\n');
    await Promise.all([inFlight.isClosed, arriving.isClosed, closed]);
    expect(inFlight.reply().status).toBe(504);
    expect(inFlight.reply().headers.get('connection')).toBe('close');
    expect(arriving.reply()).toMatchObject({ status: 503, body: { code: 'overloaded', retryable: true } });
  });
});
