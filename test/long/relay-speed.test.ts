import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixedToken } from '../../relay/token.ts';
import { createDevelopmentCaller } from '../harness/caller.ts';
import { openOutbox, type TestOutbox } from '../harness/outbox.ts';
import { unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const rows = 100;

describe.skipIf(postgresSkipReason() !== undefined)('one relay beside a loop that sends row by row', () => {
  let deployment: Deployment;
  let temporal: TestTemporalServer;
  let outbox: TestOutbox;
  let url: string;
  const caller = () => createDevelopmentCaller({ stateDir: deployment.keys, tenant });
  const tenant = unique('speed');
  beforeAll(async () => {
    [deployment, temporal] = await Promise.all([createDeployment(), startTemporalServer()]);
    outbox = await openOutbox(deployment.cluster);
    const environment = { ...deployment.environment, TEMPORAL_ADDRESS: temporal.address };
    ({ url } = await startProgram('main', environment).ready());
  });
  afterAll(async () => {
    await outbox.close();
    await endPrograms();
    await Promise.all([temporal.stop(), deployment.close()]);
  });

  const fill = (round: string) =>
    outbox.query(
      `insert into service.outbox (key, operation, body)
        select $1 || n, 'startUserGrant', jsonb_build_object('userId', $1 || n, 'name', 'Ada') from generate_series(1, $2::int) n`,
      [round, rows],
    );

  /** What one would write: lock a row, send it, mark it, commit. */
  async function sendPlainly(token: string): Promise<void> {
    const client = await outbox.pool.connect();
    for (;;) {
      await client.query('begin');
      const { rows: next } = await client.query<{ id: string; body: object }>(
        `select id, body from service.outbox where status = 'pending' order by position limit 1 for update skip locked`,
      );
      const [row] = next;
      if (row === undefined) break;
      const answer = await fetch(new URL('/v1/user-grants', url), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(row.body),
      });
      await answer.text();
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      await client.query(`update service.outbox set status = 'done', finished_at = now() where id = $1`, [row.id]);
      await client.query('commit');
    }
    await client.query('commit');
    client.release();
  }

  it('is faster', async () => {
    const token = await caller().tokenFor();
    const ratios: number[] = [];
    const timed = async (work: () => Promise<unknown>) => {
      const startedAt = performance.now();
      await work();
      return (1_000 * rows) / (performance.now() - startedAt);
    };
    for (let round = 0; round < 3; round += 1) {
      await fill(`p${round}-`);
      const plain = await timed(() => sendPlainly(token));
      await fill(`r${round}-`);
      const relay = outbox.relay({ url, token: fixedToken(token) });
      const relayed = await timed(() => until(outbox.statuses, ({ pending }) => pending === undefined));
      await relay.stop();
      ratios.push(relayed / plain);
      console.info(`round ${round}: the loop sends ${plain.toFixed(0)} rows a second, the relay ${relayed.toFixed(0)}`);
    }
    const [least = 0, median = 0] = ratios.sort((a, b) => a - b);
    console.info(`the relay is ${median.toFixed(1)} times as fast, ${least.toFixed(1)} at least`);
    expect(median).toBeGreaterThan(1);
  });
});
