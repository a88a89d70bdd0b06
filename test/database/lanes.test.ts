import { afterAll, beforeAll, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { openStorage } from '../../src/storage.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { openTestDatabase, type TestDatabase } from '../servers/database.ts';

let test: TestDatabase;
let storage: ReturnType<typeof openStorage>;
beforeAll(async () => {
  test = await openTestDatabase('embedded');
  const environment = {
    ROLE: 'worker',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    DATABASE_URL: test.url,
    PORTICO_DATABASE_POOL_MAX: '1',
  };
  const limits = { PORTICO_DATABASE_CONNECT_TIMEOUT: '5s' };
  storage = openStorage({
    config: parseConfig({ ...environment, ...limits }, catalog),
    logger: silentLogger,
    metrics: createMetrics({ version: '0.0.0', role: 'worker' }),
    queueObserver: { onConnection: () => undefined },
  });
});
afterAll(async () => {
  await storage.close();
  await test.close();
});

it('a thousand deliveries that read their endpoints do not delay the steps of money', async () => {
  const { accounts, endpoints } = storage.workAdapters;
  const ended: string[] = [];
  const tell = (what: string) => () => void ended.push(what);
  const deliveries = Array.from({ length: 1_000 }, (_, index) =>
    endpoints.readForSending({ tenant: 'acme', endpointId: `e${index}` }).then(tell('delivery'), tell('delivery')),
  );
  const steps = Array.from({ length: 3 }, () =>
    accounts.findAccount({ tenant: 'acme', accountId: 'payer' }).then(tell('step')),
  );
  await Promise.all([...deliveries, ...steps]);
  // The lanes take turns.
  expect(ended.lastIndexOf('step')).toBeLessThan(10);
});
