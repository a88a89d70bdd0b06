import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Portico, startPortico } from '../harness/portico.ts';
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
});
