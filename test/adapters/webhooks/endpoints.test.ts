import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEndpoints } from '../../../src/adapters/webhooks/endpoints.ts';
import type { Database } from '../../../src/database/database.ts';
import { letIn, openWebhooks, ringOf } from '../../harness/webhooks.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { startWebhookReceiver } from '../../servers/webhook-receiver.ts';

describe.each(databaseKinds)('an endpoint on %s', (kind) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
  });
  afterAll(() => test.close());

  async function receiver(status = 204) {
    const answers = { status };
    const started = await startWebhookReceiver({
      answer: (_, response) => void response.writeHead(answers.status).end(),
    });
    onTestFinished(started.close);
    return { ...started, answers };
  }

  const url = 'https://receiver.example/hook';

  it('is created once, and gives its secret once, to one of many that ask at the same time', async () => {
    const { endpoints, tenant } = openWebhooks(test.database);
    const wanted = { tenant, endpointId: 'e', url, description: 'Orders' };
    const created = await Promise.all(Array.from({ length: 16 }, () => endpoints.createEndpoint(wanted)));
    expect(created.filter((each) => each.kind === 'created')).toHaveLength(1);
    expect(created.filter((each) => each.kind === 'replayed')).toHaveLength(15);
    expect(created.filter((each) => 'secret' in each)).toHaveLength(1);
    expect(await endpoints.createEndpoint({ ...wanted, url: `${url}2` })).toEqual({ kind: 'conflict' });
    expect(await endpoints.createEndpoint({ tenant, endpointId: 'e', url })).toEqual({ kind: 'conflict' });
  });

  it('has a secret of 32 random bytes that nothing in the database shows', async () => {
    const { createEndpoint, key } = await (async () => {
      const opened = openWebhooks(test.database);
      const { key: made, secret } = await opened.createEndpoint(url);
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      const rows = await test.database.query('select * from endpoint_secrets where tenant = $1', [made.tenant]);
      const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
      const sealed = rows.map((row) => (row as { sealed: Buffer }).sealed);
      expect(sealed.some((each) => each.includes(bytes) || each.includes(secret))).toBe(false);
      expect(JSON.stringify(await opened.endpoints.findEndpoint(made))).not.toContain(secret);
      return { createEndpoint: opened.createEndpoint, key: made };
    })();
    expect((await createEndpoint(url)).key).not.toEqual(key);
  });

  it('counts against the limit of its tenant, also where many are created at once', async () => {
    const { endpoints, tenant } = openWebhooks(test.database, { limit: 3 });
    const create = (of: string) => endpoints.createEndpoint({ tenant: of, endpointId: randomUUID(), url });
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => create(tenant)));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'limit-reached' } });
    expect(await create(randomUUID())).toMatchObject({ kind: 'created' });
  });

  it('is shown and changed for its tenant alone', async () => {
    const { createEndpoint, endpoints } = openWebhooks(test.database);
    const { key } = await createEndpoint(url);
    const foreign = { ...key, tenant: randomUUID() };
    expect(await endpoints.findEndpoint(foreign)).toBeUndefined();
    expect(await endpoints.rotateSecret(foreign)).toBeUndefined();
    expect(await endpoints.disableEndpoint(foreign)).toBeUndefined();
    expect(await endpoints.deleteEndpoint(foreign)).toBe(false);
    expect((await endpoints.listEndpoints({ tenant: foreign.tenant, limit: 10 })).items).toEqual([]);
    expect(await endpoints.findEndpoint(key)).toMatchObject({ state: 'enabled' });
  });

  it('is listed in the order of ids, page by page', async () => {
    const { createEndpoint, endpoints, tenant } = openWebhooks(test.database);
    for (const id of ['c', 'a', 'b']) await createEndpoint(url, id);
    const first = await endpoints.listEndpoints({ tenant, limit: 2 });
    expect([first.items.map(({ endpointId }) => endpointId), first.next]).toEqual([['a', 'b'], 'b']);
    const second = await endpoints.listEndpoints({ tenant, limit: 2, after: 'b' });
    expect([second.items.map(({ endpointId }) => endpointId), second.next]).toEqual([['c'], undefined]);
  });

  it('signs with all secrets that have not ended, and four at most', async () => {
    const { createEndpoint, endpoints, send } = openWebhooks(test.database, { rotationTime: 60_000 });
    const { url: at, received } = await receiver();
    const { key, target, secret } = await createEndpoint(at);
    const secrets = [secret];
    for (let count = 1; count < 4; count += 1) secrets.push((await endpoints.rotateSecret(key))?.secret ?? '');
    await expect(endpoints.rotateSecret(key)).rejects.toMatchObject({ code: 'limit-reached' });
    await send(target);
    const [first] = received;
    const { headers, body } = { headers: first?.headers ?? {}, body: first?.body ?? '' };
    expect(String(first?.headers['webhook-signature']).split(' ')).toHaveLength(4);
    for (const each of secrets) {
      expect(() => new Webhook(each).verify(body, headers as Record<string, string>)).not.toThrow();
    }
    const ended = openWebhooks(test.database, { rotationTime: 0 });
    const other = await ended.createEndpoint(at);
    await ended.endpoints.rotateSecret(other.key);
    await ended.send(other.target);
    expect(String(received[1]?.headers['webhook-signature']).split(' ')).toHaveLength(1);
  });

  it('is disabled by a 410 until somebody enables it', async () => {
    const { createEndpoint, endpoints, send, gone } = openWebhooks(test.database);
    const { url: at, answers, received } = await receiver(410);
    const { key, target } = await createEndpoint(at);
    expect(await send(target)).toEqual({ kind: 'failed', reason: 'gone', status: 410 });
    expect(gone()).toBe(1);
    answers.status = 204;
    expect(await send(target)).toEqual({ kind: 'failed', reason: 'endpoint-disabled' });
    expect(received).toHaveLength(1);
    expect(await endpoints.findEndpoint(key)).toMatchObject({
      state: 'disabled',
      disabledBecause: 'gone',
      lastFailure: { reason: 'gone', status: 410 },
    });
    expect((await endpoints.enableEndpoint(key))?.endpoint).not.toHaveProperty('disabledBecause');
    expect(await send(target)).toEqual({ kind: 'delivered', status: 204 });
    expect(await endpoints.findEndpoint(key)).toMatchObject({ lastSuccess: { status: 204 } });
    expect(gone()).toBe(1);
  });

  it('that is not there fails until it is created', async () => {
    const { createEndpoint, endpoints, send } = openWebhooks(test.database);
    const { url: at } = await receiver();
    const { key, target } = await createEndpoint(at);
    await endpoints.deleteEndpoint(key);
    expect(await send(target)).toEqual({ kind: 'failed', reason: 'endpoint-unknown' });
    expect(await send({ url: at, secretId: key.endpointId })).toEqual({ kind: 'failed', reason: 'endpoint-unknown' });
  });

  it('signs on through a change of keys, once its secret was sealed anew', async () => {
    const [old, both] = [ringOf('old'), ringOf('new')];
    both.reveal().push(...old.reveal());
    const before = openWebhooks(test.database, { ring: old });
    const { url: at } = await receiver();
    const { key, target } = await before.createEndpoint(at);
    const having = (ring: ReturnType<typeof ringOf>) => {
      const opened = openWebhooks(test.database, { ring, tenant: key.tenant });
      return { ...opened, sendHere: () => opened.send(target) };
    };
    const only = { reveal: () => both.reveal().slice(0, 1) };
    expect(await having(both).sendHere()).toMatchObject({ kind: 'delivered' });
    expect(await having(only).sendHere()).toEqual({ kind: 'failed', reason: 'secret-unreadable' });
    await having(both).endpoints.enableEndpoint(key);
    expect(await having(only).sendHere()).toMatchObject({ kind: 'delivered' });
    expect(await having(old).sendHere()).toEqual({ kind: 'failed', reason: 'secret-unreadable' });
  });

  it('can be signed for by every process in a rolling change of keys, in the order that operators are told', async () => {
    const ring = ringOf('old', 'new');
    const [old, added] = ring.reveal();
    if (old === undefined || added === undefined) throw new Error('there are two keys');
    const rings = [[old], [old, added], [added, old], [added]].map((keys) => ({ reveal: () => keys }));
    const { url: at } = await receiver();
    // Two processes at once have one step of the order and the next.
    for (const [index, next] of rings.slice(1).entries()) {
      const pair = [openWebhooks(test.database, { ring: rings[index] }), openWebhooks(test.database, { ring: next })];
      for (const [making, sending] of [pair, pair.toReversed()]) {
        const { key, target } = (await making?.createEndpoint(at)) ?? {};
        const message = { tenant: key?.tenant ?? '', id: randomUUID(), body: '{}', timeoutMs: 5_000, enter: letIn };
        expect(target && (await sending?.webhooks.send({ ...message, target }))).toMatchObject({ kind: 'delivered' });
      }
    }
  });

  it('is read with its own secrets, also while it is deleted and made anew', async () => {
    const { key, ...opened } = await openedEndpoint();
    // Another replaces the endpoint after each statement.
    const database: Database = {
      ...test.database,
      async query<Row extends Record<string, unknown>>(text: string, values?: readonly unknown[]) {
        const rows = await test.database.query<Row>(text, values);
        await opened.endpoints.deleteEndpoint(key);
        await opened.endpoints.createEndpoint({ ...key, url: `${url}/new` });
        return rows;
      },
    };
    const reader = createEndpoints(database, { keys: opened.ring, limit: 10, rotationTime: 0 });
    expect(await reader.readForSending(key)).toMatchObject({ url, secrets: [opened.secret] });
    expect(await opened.endpoints.readForSending(key)).toMatchObject({ url: `${url}/new` });
  });

  async function openedEndpoint() {
    const ring = ringOf('first');
    const opened = openWebhooks(test.database, { ring });
    return { ring, ...opened, ...(await opened.createEndpoint(url)) };
  }

  it('cannot use the sealed secret of another', async () => {
    const { createEndpoint, send } = openWebhooks(test.database);
    const { url: at } = await receiver();
    const [one, other] = [await createEndpoint(at), await createEndpoint(at)];
    await test.database.query(
      `update endpoint_secrets set sealed = (select sealed from endpoint_secrets where endpoint_id = $1) where endpoint_id = $2`,
      [one.key.endpointId, other.key.endpointId],
    );
    expect(await send(one.target)).toMatchObject({ kind: 'delivered' });
    expect(await send(other.target)).toEqual({ kind: 'failed', reason: 'secret-unreadable' });
  });
});
