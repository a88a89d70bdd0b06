import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openWebhooks } from '../../harness/webhooks.ts';
import { createCertificates } from '../../servers/certificates.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { startWebhookReceiver } from '../../servers/webhook-receiver.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase('embedded');
});
afterAll(() => test.close());

async function receiver(answer?: RequestListener) {
  const started = await startWebhookReceiver(answer === undefined ? {} : { answer });
  onTestFinished(started.close);
  return started;
}

const withStatus =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end();

describe('an attempt', () => {
  it('posts the very bytes of the body as JSON, and is delivered by a 2xx', async () => {
    const { send } = openWebhooks(test.database);
    const { url, received } = await receiver(withStatus(202));
    const body = '{"text":"zwölf € \\u0000",  "n":1}';
    expect(await send({ url: `${url}?q=%20a` }, { id: 'task-1', body })).toEqual({ kind: 'delivered', status: 202 });
    const [request] = received;
    expect(request?.path).toBe('/hook?q=%20a');
    expect(request?.body.equals(Buffer.from(body))).toBe(true);
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': 'task-1' });
  });

  it('keeps its id, says its own time and is signed so that the official library accepts it', async () => {
    const { send, createEndpoint } = openWebhooks(test.database);
    const { url, received } = await receiver();
    const { target, secret } = await createEndpoint(url);
    await send(target, { id: 'task-1' });
    await send({ url, secretId: target.endpoint }, { id: 'task-1', body: '{"n":2}' });
    expect(received).toHaveLength(2);
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual(['task-1', 'task-1']);
    for (const { headers, body } of received) {
      const signed = headers as Record<string, string>;
      expect(() => new Webhook(secret).verify(body, signed)).not.toThrow();
      const changed = Buffer.from(body);
      changed[2] = (changed[2] ?? 0) ^ 1;
      expect(() => new Webhook(secret).verify(changed, signed)).toThrow('signature');
      expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(30);
    }
  });

  it('is not signed to a URL that names no secret', async () => {
    const { send } = openWebhooks(test.database);
    const { url, received } = await receiver();
    await send({ url });
    expect(received[0]?.headers).not.toHaveProperty('webhook-signature');
  });

  it.each([
    [200, { kind: 'delivered', status: 200 }],
    [400, { kind: 'failed', reason: 'status', status: 400 }],
    [404, { kind: 'failed', reason: 'status', status: 404 }],
    [500, { kind: 'failed', reason: 'status', status: 500 }],
    [410, { kind: 'dead', reason: 'gone', status: 410 }],
  ])('that is answered %i ends as it should', async (status, attempt) => {
    const { send } = openWebhooks(test.database);
    const { url } = await receiver(withStatus(status));
    expect(await send({ url })).toEqual(attempt);
  });

  it.each([429, 502, 503, 504])('takes over from a %i how long to wait', async (status) => {
    const { send } = openWebhooks(test.database);
    const soon = await receiver(withStatus(status, { 'retry-after': '120' }));
    expect(await send({ url: soon.url })).toEqual({ kind: 'failed', reason: 'status', status, retryAfterMs: 120_000 });
    const date = new Date(Date.now() + 60_000).toUTCString();
    const dated = await receiver(withStatus(status, { 'retry-after': date }));
    const { retryAfterMs } = (await send({ url: dated.url })) as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(30_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it('waits a day at most, and not for what cannot be read or does not go with the status', async () => {
    const { send } = openWebhooks(test.database);
    const waits = async (status: number, field: string) => {
      const { url } = await receiver(withStatus(status, { 'retry-after': field }));
      return ((await send({ url })) as { retryAfterMs?: number }).retryAfterMs;
    };
    expect(await waits(503, '9999999999')).toBe(86_400_000);
    expect(await waits(503, 'Thu, 01 Jan 1970 00:00:00 GMT')).toBe(0);
    expect(await waits(503, 'tomorrow')).toBeUndefined();
    expect(await waits(503, '-5')).toBeUndefined();
    expect(await waits(500, '5')).toBeUndefined();
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %i', async (status) => {
    const { send } = openWebhooks(test.database);
    const elsewhere = await receiver();
    const { url } = await receiver(withStatus(status, { location: elsewhere.url }));
    expect(await send({ url })).toEqual({ kind: 'failed', reason: 'redirect', status });
    expect(elsewhere.connections()).toBe(0);
  });

  it('takes no proxy from the environment', async () => {
    const { send } = openWebhooks(test.database);
    const [proxy, target] = [await receiver(), await receiver()];
    const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    for (const name of names) process.env[name] = new URL(proxy.url).origin;
    onTestFinished(() => names.forEach((name) => Reflect.deleteProperty(process.env, name)));
    expect(await send({ url: target.url })).toEqual({ kind: 'delivered', status: 204 });
    expect(proxy.connections()).toBe(0);
  });

  it('sends no payload that is too large', async () => {
    const { send } = openWebhooks(test.database);
    const { url, connections } = await receiver();
    expect(await send({ url }, { body: 'x'.repeat(20_481) })).toEqual({ kind: 'dead', reason: 'payload-too-large' });
    expect(connections()).toBe(0);
  });
});

describe('a receiver that', () => {
  /** The connection is closed within a moment after the attempt. */
  const closes = async (server: ReturnType<typeof createServer>) => {
    await expect
      .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))), { timeout: 5_000 })
      .toBe(0);
  };

  async function listen(answer: RequestListener) {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return { server, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/` };
  }

  const inTime = async <T>(work: Promise<T>, mostMs: number): Promise<T> => {
    const startedAtMs = performance.now();
    const result = await work;
    expect(performance.now() - startedAtMs).toBeLessThan(mostMs);
    return result;
  };

  it('hangs costs the time limit, and its connection is cut', async () => {
    const { send } = openWebhooks(test.database);
    const { server, url } = await listen(() => undefined);
    expect(await inTime(send({ url }, { timeoutMs: 300 }), 5_000)).toEqual({ kind: 'failed', reason: 'timeout' });
    await closes(server);
  });

  it('hangs longer than the settings allow is given up by them', async () => {
    const { send } = openWebhooks(test.database, { timeoutMax: 300 });
    const { url } = await listen(() => undefined);
    expect(await inTime(send({ url }, { timeoutMs: 60_000 }), 5_000)).toEqual({ kind: 'failed', reason: 'timeout' });
  });

  it('never finishes the head of its answer, byte by byte, costs the time limit', async () => {
    const { send } = openWebhooks(test.database);
    const server = createTcpServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('a: b\r\n'), 50);
      socket.on('close', () => clearInterval(drip)).on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
    expect(await inTime(send({ url }, { timeoutMs: 400 }), 5_000)).toEqual({ kind: 'failed', reason: 'timeout' });
  });

  it('drips its body is delivered, and is not listened to for long', async () => {
    const { send } = openWebhooks(test.database);
    const { server, url } = await listen((_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write('x'), 50);
      response.on('close', () => clearInterval(drip));
    });
    expect(await inTime(send({ url }), 6_000)).toEqual({ kind: 'delivered', status: 200 });
    await closes(server);
  });

  it('answers with a huge body is delivered, and most of it is never read', async () => {
    const { send } = openWebhooks(test.database);
    let written = 0;
    const { server, url } = await listen((_, response) => {
      response.writeHead(500);
      const pour = () => {
        while (!response.destroyed && written < 200_000_000) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', pour);
        }
      };
      pour();
    });
    expect(await inTime(send({ url }), 6_000)).toEqual({ kind: 'failed', reason: 'status', status: 500 });
    await closes(server);
    expect(written).toBeLessThan(20_000_000);
  });

  it('has a head that is too large fails', async () => {
    const { send } = openWebhooks(test.database);
    const { url } = await receiver(withStatus(200, { filler: 'x'.repeat(30_000) }));
    expect(await send({ url })).toEqual({ kind: 'failed', reason: 'invalid-response' });
  });

  it('resets, refuses or does not speak HTTP fails', async () => {
    const { send } = openWebhooks(test.database);
    const { url } = await receiver((request) => void request.socket.resetAndDestroy());
    expect(await send({ url })).toEqual({ kind: 'failed', reason: 'reset' });
    const closed = await startWebhookReceiver();
    await closed.close();
    expect(await send({ url: closed.url })).toEqual({ kind: 'failed', reason: 'refused' });
    const babble = createTcpServer((socket) => socket.end('hello\r\n\r\n')).listen(0, '127.0.0.1');
    await once(babble, 'listening');
    onTestFinished(() => void babble.close());
    const address = babble.address();
    const babbling = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
    expect(await send({ url: babbling })).toEqual({ kind: 'failed', reason: 'invalid-response' });
  });

  it('is no longer waited for when the caller gives up', async () => {
    const { send } = openWebhooks(test.database);
    const { server, url } = await listen(() => undefined);
    const caller = new AbortController();
    const sent = send({ url }, { signal: caller.signal });
    await expect.poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(1);
    caller.abort(new Error('the worker stops'));
    await expect(sent).rejects.toThrow('the worker stops');
    await closes(server);
  });
});

describe('over TLS', () => {
  const { ca, server } = createCertificates('receiver.example');
  const resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 as const }]);

  it('a receiver with a certificate of its name is delivered to', async () => {
    const { send } = openWebhooks(test.database, { resolve, ca });
    const { port, close, received } = await startWebhookReceiver({ tls: server });
    onTestFinished(close);
    expect(await send({ url: `https://receiver.example:${port}/x` })).toEqual({ kind: 'delivered', status: 204 });
    expect(received[0]?.headers.host).toBe(`receiver.example:${port}`);
  });

  it('a certificate of another name, and one of nobody known, fails before anything is sent', async () => {
    const { port, close, received } = await startWebhookReceiver({ tls: server });
    onTestFinished(close);
    const known = openWebhooks(test.database, { resolve, ca });
    expect(await known.send({ url: `https://other.example:${port}/` })).toEqual({ kind: 'failed', reason: 'tls' });
    const unknown = openWebhooks(test.database, { resolve });
    expect(await unknown.send({ url: `https://receiver.example:${port}/` })).toEqual({ kind: 'failed', reason: 'tls' });
    expect(received).toEqual([]);
  });
});
