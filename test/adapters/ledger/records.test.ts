import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLedger, type Ledger } from '../../../src/adapters/ledger/ledger.ts';
import type { TransferKey } from '../../../src/adapters/ledger/phases.ts';
import { createTransferRecords, type TransferRecords } from '../../../src/adapters/ledger/records.ts';
import { fingerprintOf } from '../../../src/orchestration/identity.ts';
import { openingOf, openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';

describe.each(databaseKinds)('transfer records on %s', (kind) => {
  let test: TestDatabase;
  let records: TransferRecords;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    records = createTransferRecords(test.database);
  });
  afterAll(() => test.close());

  const approver = { iss: 'https://issuer.test', sub: 'controller' };
  const startedBy = { iss: 'https://issuer.test', sub: 'shop' };

  it('opens a transfer, and again while it is open', async () => {
    const opening = openingOf(randomUUID(), { approvalRequired: true });
    const open = { state: 'open', approvalRequired: true, startedBy };
    expect(await records.openTransfer(opening)).toEqual(open);
    expect(await records.openTransfer(opening)).toEqual(open);
  });

  it('lets another starter go on with the same transfer, and remembers the first', async () => {
    const opening = openingOf(randomUUID());
    await records.openTransfer(opening);
    const second = { ...opening, startedBy: { iss: 'https://issuer.test', sub: 'relay-2' }, approvalRequired: true };
    expect(await records.openTransfer(second)).toEqual({ state: 'open', approvalRequired: false, startedBy });
  });

  it.each([
    { from: 'somebody' },
    { to: 'somebody' },
    { currency: 'USD' },
    { amountMinor: 301n },
    { reference: 'rent' },
    { requestedBy: 'alice' },
    { fingerprint: 'f1.bb' },
  ])('calls the same id for another transfer a conflict: %o', async (other) => {
    const opening = openingOf(randomUUID());
    await records.openTransfer(opening);
    expect(await records.openTransfer({ ...opening, ...other })).toEqual({ state: 'conflict' });
    expect(await records.openTransfer(opening)).toMatchObject({ state: 'open' });
  });

  it('compares fingerprints as starts have them', async () => {
    const fingerprint = (body: unknown) => fingerprintOf({ tenant: 'acme', process: 'transfers', body });
    const opening = { ...openingOf(randomUUID()), fingerprint: fingerprint({ a: 1 }) };
    await records.openTransfer(opening);
    expect(await records.openTransfer({ ...opening, fingerprint: fingerprint({ a: 2 }) })).toEqual({
      state: 'conflict',
    });
    expect(await records.openTransfer(opening)).toMatchObject({ state: 'open' });
  });

  it('compares the fields alone when the fingerprint is of another scheme', async () => {
    const opening = openingOf(randomUUID());
    await records.openTransfer(opening);
    expect(await records.openTransfer({ ...opening, fingerprint: 'f2.key-1.cc' })).toMatchObject({ state: 'open' });
    const other = { ...opening, fingerprint: 'f2.key-1.cc', amountMinor: 1n };
    expect(await records.openTransfer(other)).toEqual({ state: 'conflict' });
  });

  it('keeps the same id of two tenants apart', async () => {
    await records.openTransfer(openingOf(randomUUID()));
    expect(await records.openTransfer(openingOf(randomUUID(), { amountMinor: 1n }))).toMatchObject({ state: 'open' });
  });

  it('remembers the first approval', async () => {
    const opening = openingOf(randomUUID(), { approvalRequired: true });
    await records.openTransfer(opening);
    expect(await records.recordApproval({ ...opening, by: approver })).toEqual({
      kind: 'recorded',
      approvedBy: approver,
    });
    const second = { ...approver, sub: 'somebody-else' };
    expect(await records.recordApproval({ ...opening, by: second })).toEqual({
      kind: 'recorded',
      approvedBy: approver,
    });
    expect(await records.openTransfer(opening)).toMatchObject({ state: 'open', approvedBy: approver });
  });

  it('ends a transfer once and answers the first end from then on', async () => {
    const opening = openingOf(randomUUID(), { approvalRequired: true });
    await records.openTransfer(opening);
    const expired = { outcome: 'expired', amount: { currency: 'EUR', minor: '300' } };
    expect(await records.endTransfer({ ...opening, result: expired })).toEqual(expired);
    expect(await records.endTransfer({ ...opening, result: { outcome: 'cancelled' } })).toEqual(expired);
    expect(await records.openTransfer(opening)).toEqual({ state: 'ended', result: expired });
    expect(await records.recordApproval({ ...opening, by: approver })).toEqual({ kind: 'ended', result: expired });
  });

  it.each([
    { money: 'reserved', ends: ['completed', 'cancelled', 'settled'], move: () => Promise.resolve() },
    {
      money: 'posted',
      ends: ['cancelled', 'settled'],
      move: (ledger: Ledger, key: TransferKey) => ledger.deposit(key),
    },
    {
      money: 'settled',
      ends: ['cancelled', 'completed'],
      move: (ledger: Ledger, key: TransferKey) => ledger.settle(key),
    },
  ])('does not end $money money as something else, and says how it stands', async ({ money, ends, move }) => {
    const ledger = createLedger(test.database);
    const key = await openTransfer(test.database, await openTenant(test.database));
    await ledger.withdraw(key);
    await move(ledger, key);
    for (const outcome of ends) expect(await records.endTransfer({ ...key, result: { outcome } })).toEqual({ money });
    if (money === 'reserved') await ledger.deposit(key);
    const result = { outcome: money === 'settled' ? 'settled' : 'completed' };
    expect(await records.endTransfer({ ...key, result })).toEqual(result);
  });

  it.each(['completed', 'settled'])('does not end returned money as %s', async (outcome) => {
    const ledger = createLedger(test.database);
    const key = await openTransfer(test.database, await openTenant(test.database));
    await ledger.withdraw(key);
    await ledger.refund(key);
    // A refund answers that the money went back.
    expect(await records.endTransfer({ ...key, result: { outcome } })).toEqual({ money: 'reserved' });
  });

  it.each([{ outcome: 'completed' }, { outcome: 'settled' }, { outcome: 'rejected', reason: 'insufficient-funds' }])(
    'does not end a transfer without money as $outcome',
    async (result) => {
      const key = await openTransfer(test.database, await openTenant(test.database));
      expect(await records.endTransfer({ ...key, result })).toEqual({ money: 'absent' });
    },
  );

  it('says of a transfer without a row that there is none', async () => {
    const key = { tenant: randomUUID(), transferId: 'nothing' };
    expect(await records.recordApproval({ ...key, by: approver })).toEqual({ kind: 'unrecorded' });
    expect(await records.endTransfer({ ...key, result: { outcome: 'expired' } })).toEqual({ money: 'unrecorded' });
  });

  it.each([
    'update transfers set amount_minor = 1 where tenant = $1',
    'update transfers set outcome = $2 where tenant = $1',
    'delete from transfers where tenant = $1',
    'truncate transfers cascade',
  ])('has a row that nobody changes: %s', async (statement) => {
    const opening = openingOf(randomUUID());
    await records.openTransfer(opening);
    await records.endTransfer({ ...opening, result: { outcome: 'expired' } });
    const values = [opening.tenant, 'cancelled'].slice(0, statement.split('$').length - 1);
    await expect(test.database.query(statement, values)).rejects.toThrow('permanent');
  });
});
