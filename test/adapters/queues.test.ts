import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { QueueObserver } from '../../src/adapters/queues/broker.ts';
import { createQueues } from '../../src/adapters/queues/queues.ts';
import { openConnection } from '../../src/adapters/queues/rabbit-connection.ts';
import { secretOf } from '../../src/config/secret.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { fileBlocksIn } from '../docs/guide.ts';
import { leashOf } from '../harness/leash.ts';
import { until } from '../harness/until.ts';
import { createCertificates } from '../servers/certificates.ts';
import { postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';
import { maxMessageBytes, type RabbitServer, rabbitSkipReason, startRabbit } from '../servers/rabbitmq.ts';
import { startSilentServer } from '../servers/silent.ts';
import { startTcpProxy } from '../servers/tcp-proxy.ts';

const tenant = 'acme';
const anyQueue = [{ tenant: '*', queue: 'q.{tenant}' }];

/** Runs a script of the guide with the installed packages, and answers what ends it. */
function runScript(text: string, environment: Readonly<Record<string, string>>): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-guide-'));
  symlinkSync(join(import.meta.dirname, '..', '..', 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'script.mjs'), text);
  const child = spawn(process.execPath, ['script.mjs'], { cwd: folder, env: environment, stdio: 'inherit' });
  const exited = once(child, 'exit').then(leashOf(child.pid ?? 0, 'KILL'));
  return async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true });
  };
}

/** What a test has queues for, closed at its end. */
function queuesAt(url: string, allowed: readonly { tenant: string; queue: string }[]) {
  const states: (string | undefined)[] = [];
  const observer: QueueObserver = {
    onConnection: (_broker, reason) => states.push(reason),
  };
  const queues = createQueues({ brokerUrl: secretOf(url), allowed }, observer);
  onTestFinished(() => queues.close());
  return { ...queues, states };
}

const messageTo = (queue: string, facts: { messageId?: string; body?: string; timeoutMs?: number } = {}) => ({
  tenant,
  queue,
  messageId: randomUUID(),
  body: '{"amount":1}',
  timeoutMs: 60_000,
  ...facts,
});

describe('the queues that a tenant may use', () => {
  const nowhere = 'amqp://127.0.0.1:1';
  const allowed = [
    { tenant: 'acme', queue: 'orders' },
    { tenant: '*', queue: 'audit' },
    { tenant: '*', queue: '{tenant}.in' },
  ];

  it.each([
    ['acme', 'orders'],
    ['acme', 'audit'],
    ['umbrella', 'audit'],
    ['umbrella', 'umbrella.in'],
  ])('let %s use %s, and no broker is asked', async (by, queue) => {
    await expect(queuesAt(nowhere, allowed).judge({ tenant: by, queue })).resolves.toBeUndefined();
  });

  it.each([
    ['umbrella', 'orders'],
    ['acme', 'umbrella.in'],
    ['acme', '{tenant}.in'],
    ['acme', 'order'],
    ['*', 'orders'],
    ['amq', 'amq.in'],
  ])('do not let %s use %s, at creation nor at delivery', async (by, queue) => {
    const queues = queuesAt(nowhere, allowed);
    await expect(queues.judge({ tenant: by, queue })).rejects.toMatchObject({ code: 'target-not-allowed' });
    expect(await queues.publish({ ...messageTo(queue), tenant: by })).toEqual({
      kind: 'failed',
      // Another process may have newer settings.
      reason: 'target-not-allowed',
    });
  });

  it('have names that AMQP can say', async () => {
    const long = 'a'.repeat(253);
    await expect(queuesAt(nowhere, allowed).judge({ tenant: long, queue: `${long}.in` })).rejects.toMatchObject({
      code: 'target-not-allowed',
    });
  });

  it('are none without settings', async () => {
    const queues = createQueues({});
    await expect(queues.judge({ tenant, queue: 'audit' })).rejects.toMatchObject({ code: 'not-configured' });
    expect(await queues.publish(messageTo('audit'))).toEqual({ kind: 'failed', reason: 'not-configured' });
    expect(queues.isConfigured).toBe(false);
  });
});

describe('a broker that is away', () => {
  it('is not connected to once the process stops, not even where what speaks to it is still loaded', async () => {
    const silent = await startSilentServer();
    onTestFinished(silent.close);
    const opening = openConnection(`amqp://${silent.address}`, AbortSignal.abort(new Error('closing')));
    await expect(opening).rejects.toThrow('closing');
    expect(silent.connections()).toBe(0);
  });

  it('fails an attempt at once, and a check says why', async () => {
    const queues = queuesAt(`amqp://canary:canary@127.0.0.1:${await freePort()}`, anyQueue);
    expect(await queues.publish(messageTo('q.acme'))).toEqual({ kind: 'failed', reason: 'broker-away' });
    expect(queues.check).toThrow('there is no connection to the broker: refused');
  });
});

describe.skipIf(rabbitSkipReason() !== undefined)('RabbitMQ', () => {
  let rabbit: RabbitServer;
  beforeAll(async () => {
    rabbit = await startRabbit();
  });
  afterAll(() => rabbit.stop());

  /** A durable queue of its own, with what may use it. */
  async function openQueue(url = rabbit.url) {
    const queue = `q.${randomUUID()}`;
    await rabbit.with(async (connection) => {
      await (await connection.createChannel()).assertQueue(queue, { durable: true });
    });
    return { queue, ...queuesAt(url, [{ tenant, queue }]) };
  }

  const idsIn = async (queue: string) => (await rabbit.takeAll(queue)).map(({ properties }) => properties.messageId);

  it('gets a message with its id, as JSON, to be written to disk', async () => {
    const { queue, publish, check } = await openQueue();
    const message = messageTo(queue, { body: '{"text":"Grüße"}' });
    expect(await publish(message)).toEqual({ kind: 'delivered' });
    const [got, ...more] = await rabbit.takeAll(queue);
    expect(more).toEqual([]);
    expect(got?.content.toString()).toBe('{"text":"Grüße"}');
    expect(got?.properties).toMatchObject({
      messageId: message.messageId,
      contentType: 'application/json',
      deliveryMode: 2,
    });
    expect(check).not.toThrow();
  });

  it('returns what no queue takes: a missing one, and one that was deleted between', async () => {
    const { queue, publish } = await openQueue();
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
    await rabbit.with(async (connection) => (await connection.createChannel()).deleteQueue(queue));
    expect(await publish(messageTo(queue))).toEqual({ kind: 'failed', reason: 'returned' });
    expect(await queuesAt(rabbit.url, anyQueue).publish(messageTo('q.acme'))).toEqual({
      kind: 'failed',
      reason: 'returned',
    });
  });

  it('confirms a thousand messages at once, each under its id', async () => {
    const { queue, publish } = await openQueue();
    const messages = Array.from({ length: 1_000 }, () => messageTo(queue));
    const attempts = await Promise.all(messages.map((message) => publish(message)));
    expect(attempts.filter(({ kind }) => kind !== 'delivered')).toEqual([]);
    const ids = messages.map(({ messageId }) => messageId);
    expect((await idsIn(queue)).sort()).toEqual(ids.sort());
  });

  it('closes the channel of a message that is too large, and of no other', async () => {
    const { queue, publish, states } = await openQueue();
    const large = messageTo(queue, { body: JSON.stringify('x'.repeat(maxMessageBytes)) });
    const others = Array.from({ length: 50 }, () => messageTo(queue));
    const [ofLarge, ...ofOthers] = await Promise.all([large, ...others].map((message) => publish(message)));
    expect(ofLarge).toEqual({ kind: 'dead', reason: 'too-large' });
    expect(ofOthers.filter(({ kind }) => kind !== 'delivered')).toEqual([]);
    expect(await idsIn(queue)).toHaveLength(50);
    expect(states).toEqual([undefined]);
  });

  it('that does not confirm in time has failed, although it may have the message', async () => {
    const proxy = await startTcpProxy(rabbit.port);
    onTestFinished(() => proxy.close());
    const { queue, publish, states } = await openQueue(`amqp://127.0.0.1:${proxy.port}`);
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
    await proxy.inject('hold-answers');
    const message = messageTo(queue, { timeoutMs: 500 });
    const startedAt = performance.now();
    expect(await publish(message)).toEqual({ kind: 'failed', reason: 'timeout' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await proxy.heal();
    expect(await publish({ ...message, timeoutMs: 60_000 })).toEqual({ kind: 'delivered' });
    expect(states).toEqual([undefined]);
    expect((await idsIn(queue)).filter((id) => id === message.messageId)).toHaveLength(2);
  });

  it('that confirms nothing, and then is gone, has taken no place of later messages', async () => {
    const proxy = await startTcpProxy(rabbit.port);
    onTestFinished(() => proxy.close());
    const { queue, publish } = await openQueue(`amqp://127.0.0.1:${proxy.port}`);
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
    await proxy.inject('hold-answers');
    const attempts = await Promise.all(
      Array.from({ length: 300 }, () => publish(messageTo(queue, { timeoutMs: 300 }))),
    );
    expect(new Set(attempts.map((attempt) => ('reason' in attempt ? attempt.reason : 'none')))).toEqual(
      new Set(['timeout', 'busy']),
    );
    proxy.cut();
    await proxy.heal();
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
  });

  it('fails an attempt that is cancelled', async () => {
    const proxy = await startTcpProxy(rabbit.port);
    onTestFinished(() => proxy.close());
    await proxy.inject('black-hole');
    const { queue, publish } = await openQueue(`amqp://127.0.0.1:${proxy.port}`);
    const cancelling = new AbortController();
    const attempt = publish({ ...messageTo(queue), signal: cancelling.signal });
    cancelling.abort();
    expect(await attempt).toEqual({ kind: 'failed', reason: 'cancelled' });
  });

  it('that lacks memory fails attempts in their time, and takes messages again afterwards', async () => {
    const { queue, publish, check } = await openQueue();
    rabbit.control('set_vm_memory_high_watermark', '0.0000001');
    try {
      const attempt = await publish(messageTo(queue, { timeoutMs: 1_000 }));
      expect(attempt).toEqual({ kind: 'failed', reason: 'timeout' });
      expect(check).toThrow('the broker takes no messages');
      const next = publish(messageTo(queue, { timeoutMs: 300 }));
      expect(await next).toEqual({ kind: 'failed', reason: 'blocked' });
    } finally {
      rabbit.control('set_vm_memory_high_watermark', '0.4');
    }
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
    expect(check).not.toThrow();
  });

  it('lets in nobody with a wrong password, and nobody hears user or password', async () => {
    const queues = queuesAt(`amqp://guest:canary@127.0.0.1:${rabbit.port}`, anyQueue);
    expect(await queues.publish(messageTo('q.acme'))).toEqual({ kind: 'failed', reason: 'broker-away' });
    expect(queues.states).toEqual(['login-refused']);
    expect(queues.check).toThrow(/^there is no connection to the broker: login-refused$/);
    const other = queuesAt(`amqp://guest:guest@127.0.0.1:${rabbit.port}/canary`, anyQueue);
    await other.publish(messageTo('q.acme'));
    expect(other.states).toEqual(['virtual-host-refused']);
  });

  it('needs a user with one right, and refuses it without', async () => {
    const login = `amqp://writer:gr%C3%BC%C3%9Fe@127.0.0.1:${rabbit.port}`;
    rabbit.control('add_user', 'writer', 'grüße');
    rabbit.control('set_permissions', 'writer', '^$', '^$', '^$');
    const { queue, publish } = await openQueue(login);
    expect(await publish(messageTo(queue))).toEqual({ kind: 'failed', reason: 'access-refused' });
    rabbit.control('set_permissions', 'writer', '^$', '^amq\\.default$', '^$');
    expect(await publish(messageTo(queue))).toEqual({ kind: 'delivered' });
  });

  it.skipIf(postgresSkipReason() !== undefined)('brings each message once to the consumer of the guide', async () => {
    const guide = readFileSync(new URL('../../docs/queues.md', import.meta.url), 'utf8');
    const [consumer] = fileBlocksIn(guide);
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const databaseUrl = postgres.urlOf(await postgres.createDatabase());
    const { queue, publish } = await openQueue();
    const messages = [1, 2, 4, 8].map((amount) => messageTo(queue, { body: JSON.stringify({ payload: { amount } }) }));
    // As retries bring them, to several at once.
    await Promise.all([...messages, ...messages, ...messages].map((message) => publish(message)));
    const environment = { DATABASE_URL: databaseUrl, BROKER_URL: rabbit.url, QUEUE: queue };
    onTestFinished(runScript(consumer?.text ?? '', environment));
    await until(
      () => rabbit.with(async (connection) => (await connection.createChannel()).checkQueue(queue)),
      ({ messageCount, consumerCount }) => messageCount === 0 && consumerCount === 1,
    );
    const ask = (statement: string) => withClient(databaseUrl, async (client) => (await client.query(statement)).rows);
    await until(
      () => ask('select count(*)::int as handled from handled_messages'),
      ([row]) => row.handled === 4,
    );
    expect(await ask('select sum(amount)::int as sum from orders')).toEqual([{ sum: 15 }]);
  });

  it('is spoken to over TLS, and only where its certificate is trusted', async () => {
    const { server: certificate } = createCertificates('localhost');
    const port = await freePort();
    const server = createServer(certificate, (socket) => {
      const broker = connectSocket(rabbit.port, '127.0.0.1');
      for (const end of [socket, broker]) end.on('error', () => socket.destroy()).on('close', () => broker.destroy());
      socket.pipe(broker).pipe(socket);
    });
    server.on('tlsClientError', () => undefined);
    await once(server.listen(port, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    const url = `amqps://guest:guest@localhost:${port}/`;
    const strict = await openQueue(url);
    await strict.publish(messageTo(strict.queue));
    expect(strict.states).toEqual(['certificate-refused']);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const trusting = await openQueue(url);
    expect(await trusting.publish(messageTo(trusting.queue))).toEqual({ kind: 'delivered' });
  });

  it('gets what is under way when the process stops, and nothing after it', async () => {
    const { queue, publish, close } = await openQueue();
    await publish(messageTo(queue));
    const messages = Array.from({ length: 400 }, () => messageTo(queue));
    const publishing = messages.map(async (message) => ({ message, attempt: await publish(message) }));
    await close();
    const ended = await Promise.all(publishing);
    expect(ended.filter(({ attempt }) => attempt.kind !== 'delivered')).toEqual([]);
    expect(await idsIn(queue)).toHaveLength(401);
    expect(await publish(messageTo(queue))).toEqual({ kind: 'failed', reason: 'closing' });
  });

  it('that is killed before its confirm loses nothing, and gets messages again when it is back', async () => {
    const proxy = await startTcpProxy(rabbit.port);
    onTestFinished(() => proxy.close());
    const { queue, publish, states } = await openQueue(`amqp://127.0.0.1:${proxy.port}`);
    const before = messageTo(queue);
    expect(await publish(before)).toEqual({ kind: 'delivered' });
    await proxy.inject('hold-answers');
    const message = messageTo(queue);
    const attempt = publish(message);
    await until(
      () => rabbit.with(async (connection) => (await connection.createChannel()).checkQueue(queue)),
      ({ messageCount }) => messageCount === 2,
    );
    await rabbit.kill();
    proxy.cut();
    expect(await attempt).toEqual({ kind: 'failed', reason: 'connection-lost' });
    await proxy.heal();
    await rabbit.restart();
    // The task's retries, without their pauses.
    const last = await until(
      () => publish(message),
      ({ kind }) => kind === 'delivered',
    );
    expect(last).toEqual({ kind: 'delivered' });
    expect(states.at(0)).toBeUndefined();
    expect(states.at(-1)).toBeUndefined();
    expect(states.length).toBeGreaterThan(2);
    const ids = await idsIn(queue);
    // At least once: the broker had written the one that it did not confirm.
    expect([...new Set(ids)]).toEqual([before.messageId, message.messageId]);
  });
});
