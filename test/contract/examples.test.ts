import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readExamples } from '../../scripts/examples.ts';
import { operations } from '../../src/operations/index.ts';
import { exampleKeyOf } from '../../src/operations/openapi-examples.ts';
import { isRecording, recordThem, removeExamples, writeExamples } from '../fixtures/examples/keeping.ts';
import { createCalendar } from '../fixtures/examples/shown-values.ts';
import { stories } from '../fixtures/examples/stories.ts';
import { createTeller, type Kept } from '../fixtures/examples/teller.ts';
import { layFreezing } from '../fixtures/stuck-transfers.ts';
import { type Portico, startPortico } from '../harness/portico.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../servers/webhook-receiver.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'portico-examples-'));
const kept: Kept = new Map();
let portico: Portico;
let receiver: WebhookReceiver;
let isDown = true;
const issuer = 'https://issuer.example';

beforeAll(async () => {
  await layFreezing(stateDir);
  receiver = await startWebhookReceiver({
    answer(request, response) {
      const isRefused = isDown && request.url === '/down-once';
      if (isRefused) isDown = false;
      response.writeHead(isRefused ? 503 : 204).end();
    },
  });
  portico = await startPortico({
    stateDir,
    environment: {
      PORTICO_VISIBILITY_LIMIT: '0',
      PORTICO_TRANSFERS_SETTLE_APPROVAL: 'second-person',
      PORTICO_WEBHOOKS_SCHEMES: 'https,http',
      PORTICO_WEBHOOKS_PORTS: '1-65535',
      PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.0/8',
      PORTICO_JWT_ISSUER: issuer,
      PORTICO_JWT_AUDIENCE: 'portico',
      PORTICO_JWT_SECRET: 'the key of a test that signs its own tokens',
    },
  });
  await portico.untilReady();
  const receiverUrl = new URL(receiver.url).origin;
  const words = [[receiverUrl, 'https://shop.example']] as const;
  const calendar = createCalendar();
  await Promise.all(stories.map((tell) => tell(createTeller({ portico, calendar, receiverUrl, words, kept }))));
  if (isRecording) write();
});
afterAll(async () => {
  await Promise.all([portico.stop(), receiver.close()]);
  rmSync(stateDir, { recursive: true, force: true });
});

const recordedOf = (key: string) => Object.fromEntries([...(kept.get(key) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)));

/** A file for each tag, and none for others. */
function write(): void {
  removeExamples();
  for (const tag of new Set(operations.map((operation) => operation.tag))) {
    const served = operations.filter((operation) => operation.tag === tag).map(exampleKeyOf);
    const told = served.filter((key) => kept.has(key)).map((key) => [key, recordedOf(key)] as const);
    writeExamples(`${tag}.json`, told);
  }
}

const { exchanges } = readExamples();
const keys = [...new Set([...operations.map(exampleKeyOf), ...Object.keys(exchanges)])];

it.each(keys)('%s answers as its examples say', (key) => {
  if (!isRecording) expect(recordedOf(key), recordThem).toEqual(exchanges[key] ?? {});
});
