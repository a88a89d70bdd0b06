import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Portico, startPortico, unique } from '../harness/portico.ts';

const logLines: string[] = [];
let portico: Portico;
beforeAll(async () => {
  portico = await startPortico({ logLines });
  await portico.untilReady();
});
afterAll(() => portico.stop());

const url = 'http://127.0.0.1:1/canary-hook';
const pathOf = (id = unique('endpoint')) => `/v1/endpoints/${id}`;

describe('an endpoint', () => {
  it('is created once and shows its secret once', async () => {
    const path = pathOf();
    const created = await portico.put(path, { url, description: 'Orders' });
    expect([created.status, created.headers.get('location')]).toEqual([201, path]);
    const { secret, ...shown } = created.body;
    expect(secret).toMatch(/^whsec_/);
    expect(shown).toMatchObject({ id: path.split('/').pop(), url, description: 'Orders', state: 'enabled' });
    const again = await portico.put(path, { url, description: 'Orders' });
    expect([again.status, again.body]).toEqual([200, { ...shown, hint: expect.stringContaining('Rotate') as string }]);
    expect((await portico.get(path)).body).toEqual(shown);
    const other = await portico.put(path, { url });
    expect([other.status, other.body.code]).toEqual([409, 'endpoint-conflict']);
  });

  it('gets a new secret by a rotation, and the old one ends when told to', async () => {
    const path = pathOf();
    const { secret } = (await portico.put(path, { url })).body;
    const rotated = await portico.post(`${path}/rotate`, undefined);
    expect(rotated.status).toBe(200);
    expect(rotated.body.secret).not.toBe(secret);
    expect(rotated.body.secrets).toHaveLength(2);
    expect(rotated.body.secrets[1].validUntil).toBeDefined();
    const dropped = await portico.post(`${path}/drop-old-secrets`, undefined);
    expect(dropped.body.secrets).toHaveLength(1);
    expect(dropped.body).not.toHaveProperty('secret');
  });

  it('is disabled, enabled and deleted', async () => {
    const path = pathOf();
    await portico.put(path, { url });
    const disabled = await portico.post(`${path}/disable`, undefined);
    expect(disabled.body).toMatchObject({ state: 'disabled', disabledBecause: 'asked' });
    expect((await portico.post(`${path}/enable`, undefined)).body.state).toBe('enabled');
    expect((await portico.request('DELETE', path)).status).toBe(204);
    expect((await portico.request('DELETE', path)).status).toBe(404);
    for (const verb of ['rotate', 'drop-old-secrets', 'disable', 'enable']) {
      expect((await portico.post(`${path}/${verb}`, undefined)).status).toBe(404);
    }
  });

  it('is listed for its tenant alone', async () => {
    const tenant = unique('tenant');
    for (const id of ['b', 'a']) await portico.put(pathOf(id), { url }, { tenant });
    const page = await portico.get('/v1/endpoints?limit=1', { tenant });
    expect([page.body.items.map(({ id }: { id: string }) => id), page.body.cursor]).toEqual([['a'], 'a']);
    const next = await portico.get('/v1/endpoints?limit=1&cursor=a', { tenant });
    expect(next.body.items.map(({ id }: { id: string }) => id)).toEqual(['b']);
    expect((await portico.get('/v1/endpoints', { tenant: unique('other') })).body).toEqual({ items: [] });
  });

  it.each(['http://169.254.169.254/latest', 'http://u:p@127.0.0.1/', 'ftp://127.0.0.1/', 'http://[::ffff:a9fe:a9fe]/'])(
    'at %s is refused',
    async (to) => {
      const refused = await portico.put(pathOf(), { url: to });
      expect([refused.status, refused.body.code]).toEqual([422, 'target-not-allowed']);
      expect(JSON.stringify(refused.body)).not.toContain(to);
    },
  );

  it('at what is no URL does not fit', async () => {
    const refused = await portico.put(pathOf(), { url: 'somewhere' });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid-request']);
  });
});

it('no secret and no URL of an endpoint is in the log, in a list or in a metric', async () => {
  const path = pathOf();
  const replies = [await portico.put(path, { url }), await portico.post(`${path}/rotate`, undefined)];
  const { body } = await portico.get('/v1/endpoints?limit=100');
  const { text } = await portico.admin('/metrics');
  expect(logLines.length).toBeGreaterThan(2);
  // Not even where a request failed.
  expect(logLines.filter((line) => line.includes('whsec_'))).toEqual([]);
  const secrets = replies.map((reply): string => reply.body.secret.slice('whsec_'.length));
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(40);
    for (const shown of [logLines.join(''), JSON.stringify(body), text]) expect(shown.includes(secret)).toBe(false);
  }
  expect(logLines.join('')).not.toContain('canary-hook');
});
