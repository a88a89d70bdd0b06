import { randomBytes, randomUUID } from 'node:crypto';
import { createEndpoints } from '../../src/adapters/webhooks/endpoints.ts';
import type { Resolve } from '../../src/adapters/webhooks/resolve.ts';
import { createWebhooks, type WebhookTarget } from '../../src/adapters/webhooks/webhooks.ts';
import type { Database } from '../../src/database/database.ts';

/** A ring of new keys with these names, the first first. */
export const ringOf = (...ids: string[]) => {
  const keys = ids.map((id) => ({ id, key: randomBytes(32) }));
  return { reveal: () => keys };
};

/** Room for every attempt. */
export const letIn = () => Promise.resolve({ leave: () => undefined });

/** Webhooks to receivers on this machine, over real connections. */
export function openWebhooks(
  database: Database,
  options: Partial<Parameters<typeof createWebhooks>[0]['settings']> & {
    readonly resolve?: Resolve;
    readonly ca?: Buffer;
    readonly ring?: ReturnType<typeof ringOf> | undefined;
    readonly limit?: number;
    readonly rotationTime?: number;
    readonly tenant?: string;
  } = {},
) {
  const {
    resolve,
    ca,
    ring = ringOf('first'),
    limit = 100,
    rotationTime = 60_000,
    tenant = randomUUID(),
    ...settings
  } = options;
  const endpoints = createEndpoints(database, { keys: ring, limit, rotationTime });
  let gone = 0;
  const webhooks = createWebhooks({
    endpoints,
    settings: {
      schemes: ['https', 'http'],
      ports: [{ first: 1, last: 65_535 }],
      allowCidrs: ['127.0.0.1'],
      timeoutMax: 30_000,
      ...settings,
    },
    onGone: () => void (gone += 1),
    ...(resolve && { resolve }),
    ...(ca && { ca }),
  });
  return {
    tenant,
    endpoints,
    webhooks,
    /** How many endpoints were disabled by a 410, as the metrics were told. */
    gone: () => gone,
    send: (
      target: WebhookTarget,
      rest: { id?: string; body?: string; timeoutMs?: number; signal?: AbortSignal } = {},
    ) => webhooks.send({ tenant, id: randomUUID(), target, body: '{"n":1}', timeoutMs: 10_000, enter: letIn, ...rest }),
    /** Creates an endpoint and gives its id and its secret. */
    async createEndpoint(url: string, endpointId: string = randomUUID()) {
      const created = await endpoints.createEndpoint({ tenant, endpointId, url });
      if (created.kind !== 'created') throw new Error(`the endpoint was not created: ${created.kind}`);
      return { key: { tenant, endpointId }, target: { endpoint: endpointId }, secret: created.secret };
    },
  };
}
