import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { openWebhooks } from '../../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { postgresSkipReason } from '../../servers/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../../servers/tcp-proxy.ts';
import { startWebhookReceiver } from '../../servers/webhook-receiver.ts';

describe.skipIf(postgresSkipReason() !== undefined)('an attempt with a database that says nothing', () => {
  let test: TestDatabase;
  let proxy: TcpProxy;
  let database: Database;
  beforeAll(async () => {
    test = await openTestDatabase('postgres');
    const { port } = new URL(test.url);
    proxy = await startTcpProxy(Number(port));
    const url = test.url.replace(`:${port}/`, `:${proxy.port}/`);
    database = connectDatabase({ url, poolMax: 10, logger: silentLogger });
  });
  afterEach(() => proxy.heal());
  afterAll(async () => {
    await database.close();
    await proxy.close();
    await test.close();
  });

  /** The database itself gives a statement up after five seconds. */
  const wellBelowMs = 3_500;

  async function timed<T>(work: () => Promise<T>) {
    const startedAtMs = performance.now();
    const result = await work();
    return { result, tookMs: performance.now() - startedAtMs };
  }

  /** An endpoint whose receiver answers so after the database has fallen silent. */
  async function openEndpoint(status = 204) {
    const receiver = await startWebhookReceiver({
      answer: (_, response) => void proxy.inject('black-hole').then(() => response.writeHead(status).end()),
    });
    onTestFinished(receiver.close);
    const webhooks = openWebhooks(database);
    return { ...webhooks, receiver, ...(await webhooks.createEndpoint(receiver.url)) };
  }

  it('is over when its time is over, and nothing was sent', async () => {
    const { send, target, receiver } = await openEndpoint();
    await proxy.inject('black-hole');
    const { result, tookMs } = await timed(() =>
      send(target, { timeoutMs: 300 }).catch((error: unknown) => error as object),
    );
    expect(result).toMatchObject({ code: 'database-unavailable' });
    expect(tookMs).toBeLessThan(wellBelowMs);
    expect(receiver.received).toEqual([]);
  });

  it('is over when the caller gives up', async () => {
    const { send, target } = await openEndpoint();
    await proxy.inject('black-hole');
    const signal = AbortSignal.timeout(200);
    const { result, tookMs } = await timed(() => send(target, { signal }).catch((error: unknown) => error));
    expect(result).toBe(signal.reason);
    expect(tookMs).toBeLessThan(wellBelowMs);
  });

  it.each([
    [204, { kind: 'delivered', status: 204 }],
    [500, { kind: 'failed', reason: 'status', status: 500 }],
    [410, { kind: 'failed', reason: 'gone', status: 410 }],
  ])('ends as its receiver said, %i, soon after', async (status, attempt) => {
    const { send, target } = await openEndpoint(status);
    const { result, tookMs } = await timed(() => send(target));
    expect(result).toEqual(attempt);
    expect(tookMs).toBeLessThan(wellBelowMs);
  });
});
