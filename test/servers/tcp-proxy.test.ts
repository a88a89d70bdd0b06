import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../harness/until.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

describe('the proxy that makes faults', () => {
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let proxy: TcpProxy;
  beforeEach(async () => {
    echo = await startEcho();
    proxy = await startTcpProxy(echo.port);
  });
  afterEach(async () => {
    await proxy.close();
    echo.close();
  });

  it('passes bytes and ends in both directions while it is healthy', async () => {
    const socket = await open(proxy.port);
    expect(await exchange(socket, 'hello')).toBe('hello');
    socket.end();
    await once(socket, 'close');
    expect(echo.received()).toBe('hello');
  });

  it('refuses new connections and resets old ones, and listens on the same port afterwards', async () => {
    const old = await open(proxy.port);
    const reset = once(old, 'error');
    await proxy.inject('refuse');
    expect(await reset).toMatchObject([{ code: 'ECONNRESET' }]);
    await expect(open(proxy.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.heal();
    expect(await exchange(await open(proxy.port), 'again')).toBe('again');
  });

  it('as a black hole accepts connections and passes nothing, until it is over', async () => {
    await proxy.inject('black-hole');
    const socket = await open(proxy.port);
    socket.write('late');
    expect(await Promise.race([once(socket, 'data'), sleep(150, 'nothing')])).toBe('nothing');
    expect(echo.received()).toBe('');
    const arriving = once(socket, 'data');
    await proxy.heal();
    expect(String((await arriving)[0])).toBe('late');
  });

  it('holds answers while requests arrive', async () => {
    const socket = await open(proxy.port);
    expect(await exchange(socket, 'a')).toBe('a');
    await proxy.inject('hold-answers');
    socket.write('b');
    const answer = once(socket, 'data');
    await until(echo.received, (text) => text === 'ab');
    expect(await Promise.race([answer, sleep(150, 'nothing')])).toBe('nothing');
    const reset = once(socket, 'error');
    proxy.cut();
    await reset;
    await proxy.heal();
    expect(echo.received()).toBe('ab');
  });

  it('delays each exchange by the time it is told', async () => {
    await proxy.inject({ delayMs: 300 });
    const socket = await open(proxy.port);
    const startedAt = performance.now();
    expect(await exchange(socket, 'slow')).toBe('slow');
    expect(performance.now() - startedAt).toBeGreaterThan(295);
  });

  it('forgets the connections that stand without a word, and serves later ones', async () => {
    const old = await open(proxy.port);
    expect(await exchange(old, 'a')).toBe('a');
    proxy.forget();
    old.write('b');
    const later = await open(proxy.port);
    expect(await exchange(later, 'c')).toBe('c');
    expect(echo.received()).toBe('ac');
    expect([old.destroyed, old.readableEnded]).toEqual([false, false]);
  });

  it('resets who connects when told to, and who is there when cut', async () => {
    const old = await open(proxy.port);
    const reset = once(old, 'error');
    proxy.cut();
    expect(await reset).toMatchObject([{ code: 'ECONNRESET' }]);
    await proxy.inject('reset');
    const next = connect(proxy.port, '127.0.0.1');
    expect(await once(next, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(proxy.connections).toBe(0);
  });
});

async function startEcho() {
  const sockets = new Set<Socket>();
  let received = '';
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      received += data.toString();
      socket.write(data);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    received: () => received,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  // What happens to it later is seen by who waits for it.
  socket.on('error', () => undefined);
  return socket;
}

async function exchange(socket: Socket, text: string): Promise<string> {
  const answer = once(socket, 'data');
  socket.write(text);
  const [data] = (await answer) as [Buffer];
  return data.toString();
}
