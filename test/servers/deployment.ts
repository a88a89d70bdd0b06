import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentKeyEnvironment } from '../../local/development-key.ts';
import { migrateDatabase } from '../../src/commands/migrate.ts';
import { reportAt } from '../harness/money-report.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { currentWorkflows, sharedBundle } from './bundles.ts';
import { startPostgres, withClient } from './postgres.ts';
import { lockAccount, waitingStatements } from './postgres-locks.ts';

export type Deployment = Awaited<ReturnType<typeof createDeployment>>;

/** Secrets of tokens and cursors in files below `folder`, and the settings that name them. */
export function createSecrets(folder: string) {
  const keys = join(folder, 'keys');
  const cursorSecret = join(folder, 'cursor-secret');
  writeFileSync(cursorSecret, randomBytes(48).toString('base64'));
  return {
    /** The folder whose key signs the tokens that are accepted. */
    keys,
    environment: {
      ...developmentKeyEnvironment(keys),
      PORTICO_CURSOR_SECRET_FILE: cursorSecret,
    },
  };
}

/**
 * What the processes of a deployment share: a real PostgreSQL, in which the owner of the schema and the role of the
 * program are two, and the secrets of tokens and cursors in files. It is migrated unless told otherwise.
 */
export async function createDeployment({ isMigrated = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-deployment-'));
  const secrets = createSecrets(folder);
  const cluster = await startPostgres();
  await withClient(cluster.urlOf('postgres'), async (client) => {
    await client.query('create role portico_owner login');
    await client.query('create role portico_program login');
    await client.query('create database portico owner portico_owner');
  });
  const auditorUrl = cluster.urlOf('portico');
  const url = cluster.urlOf('portico', 'portico_program');
  const ownerUrl = cluster.urlOf('portico', 'portico_owner');
  const migrate = () => migrateDatabase({ url, ownerUrl, logger: silentLogger });
  if (isMigrated) await migrate();
  const bundle = await sharedBundle(currentWorkflows);

  return {
    cluster,
    /** The folder whose key signs the tokens that are accepted. */
    keys: secrets.keys,
    /** How long this machine took to bundle the workflows: what has to wait for a slow machine follows it. */
    paceMs: bundle.tookMs,
    environment: {
      PORT: '0',
      ADMIN_PORT: '0',
      DATABASE_URL: url,
      PORTICO_WORKFLOW_BUNDLE: bundle.codePath,
      ...secrets.environment,
      // No balancer has to notice that a process ends.
      PORTICO_DRAIN_DELAY: '0s',
      // Callers, proxies and servers share the machine.
      PORTICO_MAX_EVENT_LOOP_DELAY: '0s',
      PORTICO_MAX_EVENT_LOOP_UTILIZATION: '0',
    },
    /** What the migrate command does. */
    migrate,
    /** Where the owner of the schema connects: no process that serves does. */
    ownerUrl,
    /** Where the superuser connects: nothing of Portico does. */
    auditorUrl,
    /** How many statements of Portico wait for a lock. */
    waitingStatements: () => waitingStatements(auditorUrl),
    lockAccount: (account: { tenant: string; accountId: string }) => lockAccount(auditorUrl, account),
    report: (tenant: string) => reportAt(auditorUrl, tenant),
    async close(): Promise<void> {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
