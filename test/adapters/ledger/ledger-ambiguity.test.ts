import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { connectDatabase, type Database } from '../../../src/database/database.ts';
import { migrate } from '../../../src/database/migrate.ts';
import { startCommitCutter } from '../../database/commit-cutter.ts';
import { openingOf, openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { audit } from '../../harness/audit.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../../servers/postgres.ts';

describe.skipIf(postgresSkipReason() !== undefined)('a COMMIT that is never answered', () => {
  let cluster: PostgresCluster;
  let cutter: Awaited<ReturnType<typeof startCommitCutter>>;
  let database: Database;
  let url: string;
  beforeAll(async () => {
    cluster = await startPostgres();
    cutter = await startCommitCutter(cluster.port);
    url = cluster.urlOf(await cluster.createDatabase());
    await migrate({ ownerUrl: url, logger: silentLogger });
    const throughCutter = url.replace(`:${cluster.port}/`, `:${cutter.port}/`);
    database = connectDatabase({ url: throughCutter, poolMax: 4, logger: silentLogger });
  });
  afterAll(async () => {
    await database.close();
    cutter.close();
    await cluster.stop();
  });

  describe.each(['before the server has it', 'after the server has done it'] as const)('cut %s', (cut) => {
    it.each([
      ['withdraw', [], 'reserved'],
      ['deposit', ['withdraw'], 'posted'],
      ['refund', ['withdraw'], 'refunded'],
      ['refund', [], 'voided'],
      ['settle', ['withdraw'], 'settled'],
    ] as const)('leaves one effect of %s (after %j) once it is repeated: %s', async (operation, before, kind) => {
      const ledger = createLedger(database);
      const key = await openTransfer(database, await openTenant(database), { transferId: randomUUID() });
      for (const step of before) await ledger[step](key);
      const cutsBefore = cutter.cuts;
      cutter.cutNextCommit(cut);
      await expect(ledger[operation](key)).rejects.toMatchObject({
        code: 'database-unavailable',
        options: { effect: 'unknown' },
      });
      expect(cutter.cuts).toBe(cutsBefore + 1);
      expect(await ledger[operation](key)).toEqual({ kind });
      const findings = await withClient(url, (client) => audit(client, { atRest: false }));
      expect(findings).toEqual([]);
    });

    it('leaves one transfer at once, completed', async () => {
      const { transferAtOnce } = createTransferRecords(database);
      const opening = { ...openingOf(await openTenant(database)), result: { outcome: 'completed' } };
      const cutsBefore = cutter.cuts;
      cutter.cutNextCommit(cut);
      await expect(transferAtOnce(opening)).rejects.toMatchObject({
        code: 'database-unavailable',
        options: { effect: 'unknown' },
      });
      expect(cutter.cuts).toBe(cutsBefore + 1);
      expect(await transferAtOnce(opening)).toEqual({ state: 'ended', result: { outcome: 'completed' } });
      const findings = await withClient(url, (client) => audit(client, { atRest: false }));
      expect(findings).toEqual([]);
    });

    it('books an opening balance once', async () => {
      const { openAccount } = createAccounts(database);
      const opening = { tenant: randomUUID(), accountId: 'alice', currency: 'EUR', openingBalanceMinor: 100n };
      cutter.cutNextCommit(cut);
      await expect(openAccount(opening)).rejects.toMatchObject({ options: { effect: 'unknown' } });
      const isDone = cut === 'after the server has done it';
      expect(await openAccount(opening)).toMatchObject({
        kind: isDone ? 'replayed' : 'created',
        account: { balanceMinor: 100n },
      });
      const findings = await withClient(url, (client) => audit(client, { atRest: false }));
      expect(findings).toEqual([]);
    });
  });
});
