import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openWebhooks } from '../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../servers/database.ts';

type CreateReceiver = (given: { secrets: string[]; act: (message: unknown) => unknown }) => Server;

const example = new URL('../fixtures/webhook-receiver.mjs', import.meta.url);
const { createReceiver } = (await import(example.href)) as { createReceiver: CreateReceiver };

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase('embedded');
});
afterAll(() => test.close());

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook`;
}

it('the receiver in docs/webhooks.md is the one that is tested here', () => {
  const page = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
  expect(/```js\n([^]*?)```/.exec(page)?.[1]).toBe(readFileSync(example, 'utf8'));
});

it('it acts once for each message, refuses what it cannot verify, and lives through a rotation', async () => {
  const { createEndpoint, endpoints, send } = openWebhooks(test.database);
  const secrets: string[] = [];
  const acted: unknown[] = [];
  const url = await listen(createReceiver({ secrets, act: (message) => acted.push(message) }));
  const { key, target, secret } = await createEndpoint(url);
  const status = async (id: string, n: number) => {
    const attempt = await send(target, { id, body: JSON.stringify({ n }) });
    return attempt?.kind === 'delivered' ? 'delivered' : attempt?.status;
  };

  expect(await status('task-0', 0)).toBe(400);
  secrets.push(secret);
  expect(await status('task-1', 1)).toBe('delivered');
  expect(await status('task-1', 1)).toBe('delivered');
  expect(acted).toEqual([{ n: 1 }]);

  const rotated = await endpoints.rotateSecret(key);
  expect(rotated?.secret).not.toBe(secret);
  // Who knows only the old secret, only the new one, or both: each verifies while both sign.
  for (const [n, known] of [[secret], [rotated?.secret ?? ''], [rotated?.secret ?? '', secret]].entries()) {
    secrets.splice(0, secrets.length, ...known);
    expect(await status(`task-2${n}`, 2)).toBe('delivered');
  }
  await endpoints.dropOldSecrets(key);
  secrets.splice(0, secrets.length, secret);
  expect(await status('task-3', 3)).toBe(400);
  expect(() => new Webhook(rotated?.secret ?? '')).not.toThrow();
});
