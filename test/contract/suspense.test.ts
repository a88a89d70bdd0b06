import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layFreezing, settledTransfer } from '../fixtures/stuck-transfers.ts';
import { type Portico, startPortico } from '../harness/portico.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'portico-suspense-'));
let portico: Portico;

beforeAll(async () => {
  await layFreezing(stateDir);
  portico = await startPortico({ stateDir, environment: { PORTICO_TRANSFERS_SETTLE_APPROVAL: 'second-person' } });
  await portico.untilReady();
});
afterAll(async () => {
  await portico.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

describe('money that two persons settle and release', () => {
  it('is found in suspense, and leaves it once another person has confirmed the newest proposal', async () => {
    const { transferId, from } = await settledTransfer(portico);
    const { body } = await portico.get(`/v1/transfers/${transferId}/result`);
    expect(body.result).toMatchObject({ outcome: 'settled', settledBy: 'alice', confirmedBy: 'bob' });
    const item = { transferId, from, amount: { currency: 'EUR', minor: '1' }, settledBy: 'alice', confirmedBy: 'bob' };
    expect((await portico.get('/v1/suspense')).body.items).toMatchObject([item]);
    expect((await portico.get('/v1/suspense', { tenant: 'other' })).body.items).toEqual([]);

    // Other transfers may return money to the payer.
    await portico.put('/v1/accounts/owner', { currency: 'EUR', openingBalance: { minor: '0' } });
    const release = `/v1/suspense/${transferId}/release`;
    const order = { to: 'owner', note: 'found the owner' };
    expect((await portico.post(release, order, { tenant: 'other' })).status).toBe(404);
    const proposed = await portico.post(release, order);
    expect([proposed.status, proposed.body]).toMatchObject([202, { number: 1, to: 'owner' }]);

    const confirm = `/v1/suspense/${transferId}/confirm`;
    expect((await portico.post(confirm, { proposal: 1 })).body.code).toBe('second-person-required');
    expect((await portico.post(confirm, { proposal: 2 }, { subject: 'bob' })).body.code).toBe('release-conflict');
    const confirmed = await portico.post(confirm, { proposal: 1 }, { subject: 'bob' });
    expect(confirmed.body).toMatchObject({ releasedBy: { sub: 'alice' }, confirmedBy: { sub: 'bob' } });
    expect((await portico.post(release, order)).body).toEqual(confirmed.body);
    expect((await portico.get('/v1/accounts/owner')).body.balance).toEqual({ minor: '1' });
    expect((await portico.get('/v1/suspense')).body.items).toEqual([]);
  });

  it.each([
    ['GET', '/v1/suspense', 'suspense:read'],
    ['POST', '/v1/suspense/x/release', 'suspense:release'],
    ['POST', '/v1/suspense/x/confirm', 'suspense:confirm'],
  ])('%s %s needs %s', async (method, path, permission) => {
    const others = ['transfers:resolve', 'transfers:confirm', 'accounts:write', 'suspense:read', 'suspense:release'];
    const permissions = [...others, 'suspense:confirm'].filter((other) => other !== permission);
    expect((await portico.request(method, path, { permissions, ...(method === 'POST' && { body: {} }) })).status).toBe(
      403,
    );
  });
});
