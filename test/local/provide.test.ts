import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { provide } from '../../local/provide.ts';
import { StartError } from '../../local/start-error.ts';
import { connectDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { layEmbeddedDatabase } from '../servers/embedded.ts';

let stateDir: string;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'portico-provide-'));
  await layEmbeddedDatabase(join(stateDir, 'database'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const nothing = { temporal: false, database: false, developmentKey: false, cursorSecret: false, endpointKeys: false };

const provideHere = (missing: Partial<typeof nothing>) =>
  provide({
    missing: { ...nothing, ...missing },
    stateDir,
    environment: {},
    log: () => undefined,
    logger: silentLogger,
  });

describe('what is provided', () => {
  it('is a database that is up to date, for one connection, which may be migrated again', async () => {
    const { environment, stop } = await provideHere({ database: true });
    expect(environment).toEqual({
      DATABASE_URL: expect.stringContaining('&statement_timeout=0&idle_in_transaction_session_timeout=0') as string,
      PORTICO_DATABASE_POOL_MAX: '1',
    });
    const url = environment['DATABASE_URL'] ?? '';
    const database = connectDatabase({ url, poolMax: 1, connectTimeoutMs: 5_000, logger: silentLogger });
    const before = await database.query('select name, run_on from schema_migrations order by id');
    expect(before.length).toBeGreaterThan(2);
    await database.close();
    await migrate({ ownerUrl: url, logger: silentLogger });
    const again = connectDatabase({ url, poolMax: 1, logger: silentLogger });
    expect(await again.query('select name, run_on from schema_migrations order by id')).toEqual(before);
    await again.close();
    await stop();
  });

  it('is kept for one process: a second is refused by name until the first has ended', async () => {
    const first = await provideHere({ database: true, developmentKey: true });
    const second = provideHere({ database: true });
    await expect(second).rejects.toThrow(StartError);
    await expect(second).rejects.toThrow(`the folder ${stateDir} is in use by process ${process.pid}`);
    await expect(second).rejects.toThrow('PORTICO_STATE_DIR');
    await first.stop();
    await (await provideHere({ cursorSecret: true })).stop();
  });

  it('is nothing where nothing is missing, and then the folder is free for all', async () => {
    const one = await provideHere({});
    const two = await provideHere({});
    expect([one.environment, two.environment]).toEqual([{}, {}]);
    await Promise.all([one.stop(), two.stop()]);
  });
});
