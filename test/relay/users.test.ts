import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { migrateOutbox } from '../../relay/dead-letters.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { createDevelopmentCaller } from '../harness/caller.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason, withClient } from '../servers/postgres.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { startRelayProgram } from '../servers/relay-program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const random = createRandom();
const folder = mkdtempSync(join(tmpdir(), 'portico-users-'));
const tenant = unique('users');

/** Who may be killed. Each is brought back. */
type Victim = 'relay' | 'api' | 'worker' | 'temporal' | 'postgres';
const victims: readonly Victim[] = ['relay', 'api', 'worker', 'temporal', 'postgres'];

describe.skipIf(postgresSkipReason() !== undefined)('users of a service, and their grants in Portico', () => {
  let deployment: Deployment;
  let temporal: TestTemporalServer;
  let usersUrl: string;
  let environment: Record<string, string>;
  let relayEnvironment: Record<string, string>;
  const programs = new Map<'relay' | 'api' | 'worker', Program>();
  const logs: string[] = [];

  beforeAll(async () => {
    [deployment, temporal] = await Promise.all([
      createDeployment(),
      startTemporalServer({ databaseFile: join(folder, 'temporal.db') }),
    ]);
    usersUrl = deployment.cluster.urlOf(await deployment.cluster.createDatabase());
    await migrateOutbox({ url: usersUrl, schema: 'public' });
    await ask('create table users (user_id text primary key, birth_date date)');
    const port = String(await freePort());
    environment = { ...deployment.environment, TEMPORAL_ADDRESS: temporal.address, PORT: port };
    // The relay's token can do nothing but what its rows ask for.
    const caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant });
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, await caller.tokenFor({ subject: 'users', permissions: ['user-grants:start'] }));
    relayEnvironment = {
      RELAY_DATABASE_URL: usersUrl,
      RELAY_PORTICO_URL: `http://127.0.0.1:${port}`,
      RELAY_TOKEN_FILE: tokenFile,
      RELAY_HTTP_LIMIT: '4s',
      RELAY_LEASE: '6s',
      RELAY_LONGEST_RETRY: '2s',
      RELAY_LONGEST_PROBE: '1s',
      // Chance may kill one row again and again.
      RELAY_MAX_STARTS: '100',
    };
    begin('api');
    begin('worker');
    begin('relay');
    await Promise.all([programs.get('api')?.ready(), programs.get('worker')?.ready()]);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error([...programs.values()].map(lastLinesOf).join('\n'));
    await endPrograms();
  });
  afterAll(async () => {
    await Promise.all([temporal.stop(), deployment.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  const lastLinesOf = (program: Program) => program.log().split('\n').slice(-25).join('\n');
  const ask = <Row extends object>(text: string, url = usersUrl): Promise<Row[]> =>
    withClient(url, async (client) => (await client.query<Row>(text)).rows);

  function begin(which: 'relay' | 'api' | 'worker'): void {
    const program =
      which === 'relay'
        ? startRelayProgram(relayEnvironment)
        : startProgram('main', { ...environment, ROLE: which, ...(which === 'worker' ? { PORT: '0' } : {}) });
    programs.set(which, program);
  }

  /** Ends it without warning, and begins it again a moment later. */
  async function kill(victim: Victim): Promise<void> {
    switch (victim) {
      case 'temporal':
        await temporal.kill();
        await sleep(random.between(0, 500));
        return temporal.restart();
      case 'postgres':
        await deployment.cluster.kill();
        await sleep(random.between(0, 500));
        return deployment.cluster.restart();
      case 'relay':
      case 'api':
      case 'worker': {
        const program = programs.get(victim);
        program?.kill('SIGKILL');
        await program?.exited;
        logs.push(program?.log() ?? '');
        await sleep(random.between(0, 500));
        begin(victim);
        return;
      }
    }
  }

  /** Rows that a relay holds, and grants that have begun and not ended. */
  async function inFlight(): Promise<number> {
    const [held] = await ask<{ count: number }>(
      `select count(*)::int as count from outbox where locked_by is not null`,
    );
    const [sent] = await ask<{ count: number }>(`select count(*)::int as count from outbox where status = 'done'`);
    const [granted] = await ask<{ count: number }>(grantedCount, deployment.auditorUrl);
    return (held?.count ?? 0) + (sent?.count ?? 0) - (granted?.count ?? 0);
  }
  const grantedCount = `select count(*)::int as count from discounts where tenant = '${tenant}' and kind = 'welcome'`;

  it('are granted once when they were committed, and never when they were rolled back', async () => {
    const service = startProgram(['--import', 'tsx', 'test/fixtures/users-service.ts'], {
      DATABASE_URL: usersUrl,
      PAUSE_MS: '50',
    });
    const order = Array.from({ length: scaled(1) }, () => random.shuffled(victims)).flat();
    let kills = 0;
    const hit: Record<Victim, number> = { relay: 0, api: 0, worker: 0, temporal: 0, postgres: 0 };
    for (const victim of order) {
      await until(inFlight, (count) => count > 0);
      await sleep(random.between(0, 300));
      if ((await inFlight()) > 0) hit[victim] += 1;
      await kill(victim);
      kills += 1;
      await sleep(random.between(100, 600));
    }
    expect(await service.stop(), service.log()).toMatchObject({ code: 0 });

    const tries = service
      .log()
      .split('\n')
      .map((line) => JSON.parse(line) as { userId: string; end: string });
    const of = (end: string) => tries.filter((each) => each.end === end).map(({ userId }) => userId);
    const users = await ask<{ userId: string; isAdult: boolean }>(
      `select user_id as "userId", birth_date is not null as "isAdult" from users`,
    );
    // A commit whose answer was lost may stand or not: the table says which.
    const known = new Set(users.map(({ userId }) => userId));
    expect(of('committed').filter((userId) => !known.has(userId))).toEqual([]);
    expect(of('rolled-back').filter((userId) => known.has(userId))).toEqual([]);

    await until(
      () => ask<{ status: string; count: number }>('select status, count(*)::int as count from outbox group by status'),
      (rows) => rows.length === 1 && rows[0]?.status === 'done' && rows[0].count === users.length,
    );
    await until(
      () => ask<{ count: number }>(grantedCount, deployment.auditorUrl),
      ([granted]) => (granted?.count ?? 0) >= users.length,
    );
    expect(await findings(users)).toEqual([]);

    const [sent] = await ask<{ attempts: number; joined: number }>(
      `select sum(attempt)::int as attempts, count(*) filter (where answer->>'idempotencyStatus' <> 'created')::int as joined
        from outbox`,
    );
    const { attempts = 0, joined = 0 } = sent ?? {};
    console.info(`seed ${random.seed}; kills that met something in flight: ${JSON.stringify(hit)}`);
    expectEnough('kills around an outbox', {
      committed: users.length,
      'rolled back': of('rolled-back').length,
      unknown: of('unknown').length,
      kills,
      hit: Object.values(hit).reduce((a, b) => a + b, 0),
      'sent again': attempts - users.length,
      'started before': joined,
    });
  });

  /** What each user has, by SQL alone, against what each should have. */
  async function findings(users: readonly { userId: string; isAdult: boolean }[]): Promise<string[]> {
    const rows = await ask<{ userId: string; effects: string }>(
      `select user_id as "userId", string_agg(kind || ' x' || count, ', ' order by kind) as effects from (
        select user_id, 'message ' || kind as kind, count(*) from messages where tenant = '${tenant}' group by 1, 2
        union all
        select user_id, 'discount ' || kind, count(*) from discounts where tenant = '${tenant}' group by 1, 2) effects
        group by user_id`,
      deployment.auditorUrl,
    );
    const adult = 'discount adult x1, discount welcome x1, message adult x1, message welcome x1';
    const expected = new Map(
      users.map(({ userId, isAdult }) => [userId, isAdult ? adult : 'discount welcome x1, message welcome x1']),
    );
    const found = new Map(rows.map(({ userId, effects }) => [userId, effects]));
    return [...new Set([...expected.keys(), ...found.keys()])]
      .filter((userId) => found.get(userId) !== expected.get(userId))
      .map((userId) => `${userId} has ${found.get(userId) ?? 'nothing'}, not ${expected.get(userId) ?? 'nothing'}`);
  }
});
