import { once } from 'node:events';
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { buildConnector } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { guardedConnectorOf, refusalOf } from '../../../src/adapters/webhooks/connector.ts';
import { openWebhooks } from '../../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { startLateServer } from '../../servers/late-server.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase('embedded');
});
afterAll(() => test.close());

/** Webhooks to a name of two addresses of this machine, the first of which is late. */
async function openTwoAddresses() {
  const late = await startLateServer();
  onTestFinished(late.close);
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 as const }));
  const resolve = () => Promise.resolve(addresses);
  const { send } = openWebhooks(test.database, { allowCidrs: ['127.0.0.0/8'], resolve });
  return { late, send, url: `http://receiver.example:${late.port}/` };
}

describe('a name of two addresses', () => {
  it('is delivered to at the first, although its first packet was lost and the other is of no use', async () => {
    const { late, send, url } = await openTwoAddresses();
    const sent = send({ url });
    await sleep(600);
    late.accept();
    expect(await sent).toEqual({ kind: 'delivered', status: 204 });
  });

  it('is delivered to at the second in the time of the attempt where the first one never answers', async () => {
    const { late, send, url } = await openTwoAddresses();
    const other = createServer((_, response) => response.writeHead(200).end()).listen(late.port, '127.0.0.2');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    expect(await send({ url }, { timeoutMs: 6_000 })).toEqual({ kind: 'delivered', status: 200 });
  });
});

describe('a connection', () => {
  it('whose peer is gone already was reset, and its address was not refused', async () => {
    const limits = { limitMs: 1_000, signal: new AbortController().signal };
    const rules = { isAllowedAddress: () => true, resolve: () => Promise.resolve([]) };
    // A socket without a peer, which the system alone makes by chance.
    const build = (() => (_asked: unknown, done: (error: null, socket: Socket) => void) => {
      const socket = new Socket();
      queueMicrotask(() => done(null, socket));
      return socket;
    }) as unknown as typeof buildConnector;
    const connect = guardedConnectorOf(build, rules, limits);
    const asked = { hostname: 'receiver.example', protocol: 'http:', port: '80' };
    const error = await new Promise((resolve) => {
      connect(asked, (...[failure]) => resolve(failure));
    });
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(refusalOf(error)).toBeUndefined();
  });
});
