import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { type RabbitServer, rabbitSkipReason, startRabbit } from '../servers/rabbitmq.ts';
import { startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const isSkipped = postgresSkipReason() !== undefined || rabbitSkipReason() !== undefined;

describe.skipIf(isSkipped)('a delayed task that delivers to a queue', () => {
  const queue = 'orders';
  let deployment: Deployment;
  let temporal: TestTemporalServer;
  let rabbit: RabbitServer;
  let proxy: TcpProxy;
  let caller: Caller;
  let environment: Record<string, string>;
  let worker: Program;
  let url: string;
  beforeAll(async () => {
    [deployment, temporal, rabbit] = await Promise.all([createDeployment(), startTemporalServer(), startRabbit()]);
    proxy = await startTcpProxy(rabbit.port);
    caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('queues') });
    environment = {
      ...deployment.environment,
      TEMPORAL_ADDRESS: temporal.address,
      PORTICO_QUEUES_BROKER_URL: `amqp://127.0.0.1:${proxy.port}`,
      PORTICO_QUEUES_ALLOWED: `${caller.tenant}:${queue},other:payroll`,
      PORTICO_START_DEADLINE: '8s',
      PORTICO_READ_DEADLINE: '10s',
    };
    worker = startProgram('main', { ...environment, ROLE: 'worker' });
    const api = startProgram('main', { ...environment, ROLE: 'api' });
    await rabbit.with(async (connection) => {
      await (await connection.createChannel()).assertQueue(queue, { durable: true });
    });
    await worker.ready();
    ({ url } = await api.ready());
  });
  afterAll(async () => {
    await endPrograms();
    await proxy.close();
    await Promise.all([rabbit.stop(), temporal.stop(), deployment.close()]);
  });

  const taskOf = (name = queue) => ({
    after: 'PT1S',
    deliver: { queue: { name } },
    payload: { amount: 7 },
    retry: { delays: ['PT1S'] },
  });

  async function createTask(): Promise<string> {
    const key = unique('task');
    const created = await caller.at(url).post('/v1/delayed-tasks', taskOf(), { headers: { 'idempotency-key': key } });
    expect(created.status).toBe(202);
    return `/v1/delayed-tasks/${key}`;
  }

  const countIn = async () =>
    rabbit.with(async (connection) => (await (await connection.createChannel()).checkQueue(queue)).messageCount);

  const takeAll = async () =>
    (await rabbit.takeAll(queue)).map(({ content, properties: { messageId } }) => {
      const { id, payload } = JSON.parse(content.toString());
      return { messageId, id, payload };
    });

  const resultOf = (path: string) =>
    until(
      () => caller.at(url).get(`${path}/result`),
      ({ status }) => status === 200,
    );

  it('puts its payload there once it is due', async () => {
    const path = await createTask();
    expect((await resultOf(path)).body).toMatchObject({ result: { outcome: 'delivered', attempts: 1 } });
    const [message, ...more] = await takeAll();
    expect(more).toEqual([]);
    expect(message).toEqual({ messageId: message?.id, id: expect.any(String), payload: { amount: 7 } });
  });

  it.each(['payroll', 'order'])('is refused for the queue %s, which is not for this tenant', async (name) => {
    const headers = { 'idempotency-key': unique('task') };
    const refused = await caller.at(url).post('/v1/delayed-tasks', taskOf(name), { headers });
    expect([refused.status, refused.body.code]).toEqual([422, 'target-not-allowed']);
  });

  it('brings the same message id again where its worker was killed before the confirm', async () => {
    await proxy.inject('hold-answers');
    onTestFinished(() => proxy.heal());
    const path = await createTask();
    await until(countIn, (count) => count === 1);
    worker.kill('SIGKILL');
    await worker.exited;
    await proxy.heal();
    worker = startProgram('main', { ...environment, ROLE: 'worker' });
    expect((await resultOf(path)).body).toMatchObject({ result: { outcome: 'delivered', attempts: 2 } });
    const messages = await takeAll();
    expect(messages).toHaveLength(2);
    expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(1);
    const { body } = await caller.at(url).get(`${path}/deliveries`);
    expect(body.attempts.map(({ result }: { result: string }) => result)).toEqual(['delivered', 'lost']);
  });
});
