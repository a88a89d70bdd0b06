import { randomBytes } from 'node:crypto';
import { Agent, request } from 'undici';
import { createEndpoints } from '../../src/adapters/webhooks/endpoints.ts';
import { resolverOf } from '../../src/adapters/webhooks/resolve.ts';
import { createWebhooks, type WebhookTarget } from '../../src/adapters/webhooks/webhooks.ts';
import { connectDatabase } from '../../src/database/database.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createDeliveryRoom } from '../../src/worker/delivery-room.ts';
import { serveTasks } from '../load/child.ts';
import { type LoadTask, runLoad } from '../load/task.ts';
import type { Send } from '../load/window.ts';

/**
 * `deliveries.ts <port of the receiver> <name server> <database>`: a program that makes attempts to deliver a webhook, by
 * Portico's sender and by plain requests of the same library. It makes its own load.
 */
const [port = '', nameServer = '', databaseUrl = ''] = process.argv.slice(2);

const tenant = 'bench';
const body = JSON.stringify({ type: 'delayed-task.due', payload: { n: 1 } });
const [byName, byAddress] = [`http://receiver.bench:${port}/hook`, `http://127.0.0.1:${port}/hook`];

const logger = createLogger({ level: 'silent' });
const database = connectDatabase({ url: databaseUrl, poolMax: 8, logger });
const ring = [{ id: 'bench', key: randomBytes(32) }];
const endpoints = createEndpoints(database, { keys: { reveal: () => ring }, limit: 10, rotationTime: 0 });
const room = createDeliveryRoom({ slots: 1_000, perReceiver: 100 });
const webhooks = createWebhooks({
  endpoints,
  settings: {
    schemes: ['http'],
    ports: [{ first: 1, last: 65_535 }],
    allowCidrs: ['127.0.0.0/8'],
    timeoutMax: 15_000,
  },
  resolve: resolverOf([nameServer]),
});
await endpoints.createEndpoint({ tenant, endpointId: 'named', url: byName });

async function attemptTo(target: WebhookTarget, index: number): Promise<void> {
  const message = { tenant, id: `dt_${index}`, target, body, timeoutMs: 15_000 };
  const attempt = await webhooks.send({
    ...message,
    enter: (receiver, signal) => room.enter({ tenant, receiver, suspect: receiver, signal }),
  });
  if (attempt?.kind !== 'delivered') throw new Error(`the attempt ended ${attempt?.kind}: ${attempt?.reason}`);
}

const agent = new Agent();

async function plainly(reset: boolean): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await request(byAddress, { method: 'POST', headers, body, dispatcher: agent, reset });
  await answer.body.dump();
  if (answer.statusCode !== 204) throw new Error(`the receiver answered ${answer.statusCode}`);
}

const ways: Readonly<Record<string, Send>> = {
  endpoint: (index) => attemptTo({ endpoint: 'named' }, index),
  named: (index) => attemptTo({ url: byName }, index),
  addressed: (index) => attemptTo({ url: byAddress }, index),
  closed: () => plainly(true),
  kept: () => plainly(false),
};

serveTasks((task: LoadTask) => runLoad(task, wayOf), {});

function wayOf(kind: unknown): Send {
  const way = ways[String(kind)];
  if (way === undefined) throw new Error(`there is no way ${String(kind)} to deliver`);
  return way;
}
