import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fastify } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { closeUnusedConnections } from '../../src/http/unused-connections.ts';
import { startApp } from '../harness/app.ts';

const sockets: Socket[] = [];
afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));

/** A connection that has sent `text`, and what came back on it. */
async function connected(port: number, text = '') {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  const received = { text: '' };
  socket.on('error', () => undefined);
  socket.on('data', (data) => (received.text += data.toString()));
  socket.write(text);
  return { socket, received, closed: once(socket, 'close') };
}

/** A second is promised, and a slow machine may take ten. */
const closesWithinMs = 10_000;

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: portico\r\n\r\n`;

/** How long the app takes to close, in milliseconds. */
async function closing(app: { close: () => PromiseLike<unknown> }): Promise<number> {
  const startedAt = performance.now();
  await app.close();
  return performance.now() - startedAt;
}

/** The app with a route whose answer is given when a test says so. */
async function apiWithSlowRoute() {
  let isAsked = () => {};
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const api = await startApp({
    routes: (app) =>
      app.get('/v1/waits', { config: { operationId: 'waits', permission: 'public', cost: 'read' } }, async () => {
        isAsked();
        await answered;
        return { is: 'late' };
      }),
  });
  return { api, asked, answer };
}

describe('an app that closes', () => {
  it('closes a connection with its answer also where the request came before', async () => {
    const { api, asked, answer } = await apiWithSlowRoute();
    const { received, closed } = await connected(api.port, get('/v1/waits'));
    await asked;
    const closes = closing(api.app);
    await sleep(100);
    answer();
    await closed;
    expect(received.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received.text).toMatch(/^connection: close\r$/im);
    expect(received.text).toContain('{"is":"late"}');
    expect(await closes).toBeLessThan(closesWithinMs);
  });

  it.each([
    ['brought nothing', ''],
    ['brought half a request', 'GET /v1/public HTTP/1.1\r\nHo'],
  ])('waits no longer than a second for a connection that %s', async (_, text) => {
    const api = await startApp();
    const { closed } = await connected(api.port, text);
    await sleep(50);
    const closedAfterMs = await closing(api.app);
    await closed;
    expect(closedAfterMs).toBeLessThan(closesWithinMs);
  });

  it('still takes the rest of a request that was arriving, and says that it closes', async () => {
    const api = await startApp();
    const { socket, received, closed } = await connected(api.port, 'GET /v1/public HTTP/1.1\r\nHo');
    await sleep(50);
    const closes = closing(api.app);
    socket.write('st: portico\r\n\r\n');
    await closed;
    expect(received.text).toMatch(/^HTTP\/1\.1 503 /);
    expect(received.text).toMatch(/"code":"overloaded","retryable":true,"effect":"none"/);
    expect(await closes).toBeLessThan(closesWithinMs);
  });

  it('lets an answer take its time, and closes a connection that would be kept', async () => {
    const app = fastify({ return503OnClosing: false, forceCloseConnections: 'idle' });
    closeUnusedConnections(app);
    app.get('/', async () => {
      await sleep(1_500);
      return 'late';
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const { received } = await connected(Number(new URL(url).port), get('/'));
    await sleep(50);
    const closedAfterMs = await closing(app);
    expect(received.text).toMatch(/^connection: keep-alive\r$/im);
    expect(received.text).toContain('late');
    expect(closedAfterMs).toBeGreaterThan(1_400);
    expect(closedAfterMs).toBeLessThan(closesWithinMs);
  });
});
