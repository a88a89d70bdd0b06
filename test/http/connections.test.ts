import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { appKey, parseResponse, rawExchange, startApp, type TestApp } from '../harness/app.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { mintToken } from '../tokens/tokens.ts';

const authorization = `Authorization: Bearer ${mintToken(appKey)}\r\n`;
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

const stops: (() => Promise<unknown>)[] = [];
afterAll(() => Promise.all(stops.map((stop) => stop())));

async function start(options: Parameters<typeof startApp>[0] = {}) {
  const api = await startApp(options);
  stops.push(api.stop);
  return api;
}

/** A connection, and what came back on it. */
function open(api: TestApp, text = '') {
  const socket = connect(api.port, '127.0.0.1');
  const received: string[] = [];
  socket.on('data', (chunk) => received.push(chunk.toString()));
  socket.on('error', () => undefined);
  socket.write(text);
  const isClosed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  return { socket, isClosed, received: () => received.join('') };
}

const droppedBy = async (api: TestApp, limit: string): Promise<number> =>
  Number(new RegExp(`connections_dropped_total\\{limit="${limit}"\\} (\\d+)`).exec(await api.metrics.text())?.[1] ?? 0);

/** Sends requests one after the other on a connection until it ends, and gives the statuses and how it was ended. */
async function ask(api: TestApp, requests: readonly string[]) {
  const { socket, isClosed, received } = open(api);
  const answers = () => received().match(/HTTP\/1\.1 \d{3}/g) ?? [];
  let isOver = false;
  void isClosed.then(() => (isOver = true));
  for (const [index, request] of requests.entries()) {
    socket.write(request);
    await expect.poll(() => isOver || answers().length > index, { interval: 2 }).toBe(true);
    if (/connection: close/i.test(received())) break;
  }
  const saysSo = /connection: close/i.test(received());
  if (saysSo) await isClosed;
  return { socket, statuses: answers().map((line) => Number(line.slice(-3))), saysSo };
}

const refused = get('/v1/things/t-1');
const times = (count: number, request: string) => Array.from({ length: count }, () => request);

describe('a connection of a stranger', () => {
  it.each([
    [401, refused],
    [400, get('/v1/things/t-1', 'Host: y\r\n')],
    [401, `POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`],
  ])('survives a few answers of %i, and ends with the sixteenth on end', async (status, bytes) => {
    const { statuses, saysSo } = await ask(await start(), times(20, bytes));
    expect(statuses).toEqual(Array.from({ length: 16 }, () => status));
    expect(saysSo).toBe(true);
  });

  it('survives a few answers of 429', async () => {
    const api = await start({ rateLimits: { address: 0, refusals: 1, start: 0, action: 0, read: 0, list: 0 } });
    const { statuses, saysSo } = await ask(api, times(20, refused));
    expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(6).fill(429)]);
    expect(saysSo).toBe(true);
  });

  it('is forgiven once its caller is known', async () => {
    const known = get('/v1/things/t-1', authorization);
    const requests = [...times(15, refused), known, ...times(20, refused)];
    const { statuses } = await ask(await start(), requests);
    expect(statuses).toEqual([...Array<number>(15).fill(401), 200, ...Array<number>(16).fill(401)]);
  });

  it('ends with the first refusal where one address has more than half of its connections', async () => {
    const api = await start({ maxConnectionsPerAddress: 4 });
    const first = await ask(api, [refused]);
    const second = await ask(api, [refused]);
    const third = await ask(api, [refused]);
    expect([first.saysSo, second.saysSo, third.saysSo]).toEqual([false, false, true]);
    for (const { socket } of [first, second]) socket.destroy();
  });

  it('ends soon when it is idle after any answer, and that of a known caller does not', async () => {
    const api = await start();
    const known = open(api, get('/v1/things/t-1', authorization));
    await once(known.socket, 'data');
    const strangers = [get('/nowhere'), refused].map((request) => open(api, request));
    await Promise.all(strangers.map(({ socket }) => once(socket, 'data')));
    await Promise.all(strangers.map(({ isClosed }) => isClosed));
    known.socket.write(get('/v1/things/t-1', authorization));
    await once(known.socket, 'data');
    expect(known.received().match(/HTTP\/1.1 200/g)).toHaveLength(2);
    known.socket.destroy();
  });
});

describe('connections past a limit', () => {
  const echoes = async (socket: Socket) => {
    socket.write(get('/v1/public'));
    await once(socket, 'data');
  };

  it('of one address are closed unheard and counted, until one of them ends', async () => {
    const api = await start({ maxConnectionsPerAddress: 2 });
    const [first, second] = [open(api), open(api)];
    await echoes(first.socket);
    await echoes(second.socket);
    const third = open(api, get('/v1/public'));
    await third.isClosed;
    expect(third.received()).toBe('');
    expect(await droppedBy(api, 'address')).toBe(1);
    await open(api).isClosed;
    expect(api.log().match(/limit of connections/g)).toHaveLength(1);
    await echoes(first.socket);
    second.socket.destroy();
    await second.isClosed;
    await expect
      .poll(async () => {
        const again = open(api, get('/v1/public', 'Connection: close\r\n'));
        await again.isClosed;
        return again.received();
      })
      .toContain('HTTP/1.1 200');
    first.socket.destroy();
  });

  it('of one address do not count for a proxy that is trusted', async () => {
    const api = await start({ maxConnectionsPerAddress: 1, trustProxy: ['127.0.0.0/8'] });
    const all = [open(api), open(api), open(api)];
    for (const { socket } of all) await echoes(socket);
    for (const { socket } of all) socket.destroy();
    expect(await droppedBy(api, 'address')).toBe(0);
  });

  it('cannot be held by strangers, who keep half of all at most, so that callers are served', async () => {
    const api = await start();
    const askOnce = async (request: string) => {
      const { socket, received } = open(api, request);
      await once(socket, 'data');
      return {
        socket,
        isServed: received().includes('HTTP/1.1 200'),
        isEnded: received().includes('connection: close'),
      };
    };
    const askMany = (count: number, request: string) =>
      inParallel(50, Array.from({ length: count }), () => askOnce(request));
    const known = get('/v1/things/t-1', authorization);
    const strangers = await askMany(1_200, refused);
    expect(strangers.filter(({ socket, isEnded }) => !isEnded && !socket.destroyed).length).toBeLessThanOrEqual(1_000);
    const callers = await askMany(990, known);
    expect(callers.filter(({ isServed, isEnded }) => isServed && !isEnded)).toHaveLength(990);
    for (const { socket } of strangers) socket.destroy();
    // Whoever fills more than half: a stranger keeps nothing then.
    callers.push(...(await askMany(11, known)));
    expect(await askOnce(refused)).toMatchObject({ isServed: false, isEnded: true });
    callers.pop()?.socket.destroy();
    expect(await askOnce(known)).toMatchObject({ isServed: true, isEnded: false });
    expect(await droppedBy(api, 'all')).toBe(0);
    for (const { socket } of callers) socket.destroy();
  });

  it('in all are counted', async () => {
    const api = await start();
    api.app.server.maxConnections = 1;
    const first = open(api);
    await echoes(first.socket);
    await open(api).isClosed;
    expect(await droppedBy(api, 'all')).toBe(1);
    first.socket.destroy();
  });
});

describe('a body that waits to be invited', () => {
  const post = (headers: string) =>
    `POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n${headers}\r\n`;

  it('is not invited without a token, of another coding, or where it is too long', async () => {
    const api = await start();
    const answers = [
      [401, post('Content-Length: 2\r\n')],
      [415, post(`Content-Length: 2\r\nContent-Encoding: gzip\r\n${authorization}`)],
      [413, post(`Content-Length: 8193\r\n${authorization}`)],
    ] as const;
    for (const [status, bytes] of answers) {
      const answer = parseResponse((await rawExchange(api.port, [bytes])).text);
      expect([answer.status, answer.headers.get('connection')]).toEqual([status, 'close']);
    }
  });

  it('is invited once the request may pass', async () => {
    const api = await start();
    const caller = open(api, post(`Content-Length: 7\r\nConnection: close\r\n${authorization}`));
    await once(caller.socket, 'data');
    expect(caller.received()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    caller.socket.write('{"a":1}');
    await caller.isClosed;
    expect(caller.received()).toContain('{"body":{"a":1}}');
  });
});

describe('behind a balancer that Portico was not told of', () => {
  it('one warning is logged', async () => {
    const api = await start();
    for (let n = 0; n < 3; n += 1) await api.send('/v1/public', { headers: { 'X-Forwarded-For': '203.0.113.1' } });
    expect(api.log().match(/PORTICO_TRUST_PROXY/g)).toHaveLength(1);
    const told = await start({ trustProxy: ['127.0.0.1'] });
    await told.send('/v1/public', { headers: { 'X-Forwarded-For': '203.0.113.1' } });
    expect(told.log()).not.toContain('PORTICO_TRUST_PROXY');
  });
});
