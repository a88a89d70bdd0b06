import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres, withClient } from '../servers/postgres.ts';

interface Check {
  readonly name: string;
  readonly status: string;
  readonly reason?: string;
  readonly remedy?: string;
}

describe.skipIf(postgresSkipReason() !== undefined)('commits that the database may lose', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
    await withClient(cluster.urlOf('postgres'), async (client) => {
      await client.query('create role careful login');
      await client.query('create role careless login');
      await client.query('alter role careless set synchronous_commit = off');
    });
  });
  afterAll(() => cluster.stop());

  it.each([
    ['careless', 'failed', 1],
    ['careful', 'ok', 0],
  ])(
    'of the role %s: the check of /healthz is %s, with a warning in the log where it must be',
    async (role, status, warnings) => {
      const logLines: string[] = [];
      const portico = await startApi({ environment: { DATABASE_URL: cluster.urlOf('postgres', role) }, logLines });
      const check = await until(
        async () => {
          const { checks } = JSON.parse((await portico.admin('/healthz')).text) as { checks: Check[] };
          return checks.find(({ name }) => name === 'commits');
        },
        // A slow machine may not have let the first question in.
        (each) => each?.status === 'ok' || /synchronous_commit/.test(each?.reason ?? ''),
      );
      expect(check?.status).toBe(status);
      if (status === 'failed') expect(check?.remedy).toMatch(/set synchronous_commit to on/);
      const warned = () => logLines.filter((line) => line.includes('commits are not synchronous'));
      await until(warned, (lines) => lines.length >= warnings);
      await portico.stop();
      expect(warned()).toHaveLength(warnings);
    },
  );
});
