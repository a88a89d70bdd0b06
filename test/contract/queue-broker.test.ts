import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sumIn } from '../harness/metrics.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

describe('a process whose broker of queues is away', () => {
  const logLines: string[] = [];
  let portico: Portico;
  beforeAll(async () => {
    portico = await startPortico({
      logLines,
      environment: {
        PORTICO_QUEUES_BROKER_URL: 'amqp://canary-user:canary-password@127.0.0.1:1/canary-host',
        PORTICO_QUEUES_ALLOWED: '*:audit',
      },
    });
  });
  afterAll(() => portico.stop());

  it('says so with a remedy, is ready all the same, and shows no login', async () => {
    const metrics = await until(
      async () => (await portico.admin('/metrics')).text,
      (text) => text.includes('portico_queue_broker_connected{broker="rabbitmq"} 0'),
    );
    const health = await portico.admin('/healthz');
    expect(JSON.parse(health.text).checks).toContainEqual({
      name: 'queues',
      status: 'failed',
      reason: 'there is no connection to the broker: refused',
      remedy: expect.stringContaining('PORTICO_QUEUES_BROKER_URL'),
    });
    expect((await portico.admin('/readyz')).status).toBe(200);
    expect(logLines.filter((line) => line.includes('the broker of queues is away'))).toHaveLength(1);
    expect([...logLines, metrics, health.text].join()).not.toContain('canary');
  });

  it('counts an attempt that finds no broker, with the reason', async () => {
    const task = { after: 'PT0S', deliver: { queue: { name: 'audit' } }, payload: 1, retry: { maxAttempts: 1 } };
    const created = await portico.post('/v1/delayed-tasks', task, { headers: { 'idempotency-key': unique('task') } });
    expect(created.status).toBe(202);
    const told = await until(
      async () => (await portico.admin('/metrics')).text,
      (text) => sumIn(text, 'portico_delivery_attempts_total') > 0,
    );
    const attempt = { target: 'queue', result: 'failed', reason: 'broker-away' };
    expect(sumIn(told, 'portico_delivery_attempts_total', attempt)).toBe(1);
  });
});
