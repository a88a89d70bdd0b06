import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../src/worker/free-port.ts';
import { scheduleEnvironment } from '../fixtures/schedules.ts';
import { createDevelopmentCaller } from '../harness/caller.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { currentWorkflows, sharedBundle } from '../servers/bundles.ts';
import { createSecrets } from '../servers/deployment.ts';
import { endPrograms, startProgram } from '../servers/program.ts';
import { startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const tenant = 'punctual';
const everyMs = 2_000;
/** The shortest that there is. */
const windowMs = 10_000;
/** Longer than the window, so that some firings are too late. */
const outageMs = windowMs + everyMs;

const folder = mkdtempSync(join(tmpdir(), 'portico-schedule-outage-'));
let server: TestTemporalServer;
let proxy: TcpProxy;

beforeAll(async () => {
  server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  proxy = await startTcpProxy(server.port);
});
afterAll(async () => {
  await endPrograms();
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const textOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const timesBetween = (fromMs: number, untilMs: number): number[] =>
  Array.from({ length: (untilMs - fromMs) / everyMs + 1 }, (_, index) => fromMs + index * everyMs);
const timeBefore = (ms: number): number => Math.floor(ms / everyMs) * everyMs;

/** What Temporal knows of the firings of one schedule. */
function firingsOf(operator: TemporalOperator, name: string) {
  const launcher = (ms: number) => `${tenant}/schedules/${name}-${textOf(ms)}`;
  const instance = (ms: number) => `${tenant}/user-grants/${name}.${textOf(ms)}`;
  const hasLauncher = async (ms: number) => (await operator.currentRun(launcher(ms))) !== undefined;
  return {
    hasLauncher,
    hasInstance: async (ms: number) => (await operator.currentRun(instance(ms))) !== undefined,
    /** How its start went; undefined while that is not recorded. */
    attemptsOf: async (ms: number) => ((await hasLauncher(ms)) ? operator.attemptsOf(launcher(ms), 'fire') : undefined),
    resultOf: (ms: number) => operator.resultOf(launcher(ms)),
    /** How many runs of instances there are under each id. */
    async runs(): Promise<Record<string, number>> {
      const counts: Record<string, number> = {};
      for (const id of await operator.instancesOf(tenant, 'user-grants'))
        if (id.includes(`/${name}.`)) counts[id] = (counts[id] ?? 0) + 1;
      return counts;
    },
  };
}

it('kills and outages leave each firing done once, or too late for its window', async () => {
  const keys = join(folder, 'secrets');
  mkdirSync(keys);
  const secrets = createSecrets(keys);
  const environment = {
    ...secrets.environment,
    ...scheduleEnvironment,
    PORT: String(await freePort()),
    ADMIN_PORT: '0',
    TEMPORAL_ADDRESS: proxy.address,
    PORTICO_STATE_DIR: join(folder, 'state'),
    PORTICO_START_DEADLINE: '20s',
    PORTICO_DRAIN_DELAY: '0s',
    PORTICO_WORKFLOW_BUNDLE: (await sharedBundle(currentWorkflows)).codePath,
  };
  const send = createDevelopmentCaller({ stateDir: secrets.keys, tenant }).at(`http://127.0.0.1:${environment.PORT}`);
  const program = startProgram('start', environment);
  await program.ready();
  const common = { spec: { intervals: [{ everySeconds: everyMs / 1_000 }] }, overlap: 'allow-all' };
  const action = { process: 'user-grants', input: { name: 'Ada' } };
  for (const window of [{ name: 'hasty', catchUpSeconds: windowMs / 1_000 }, { name: 'patient' }])
    expect((await send.post('/v1/schedules', { ...common, ...window, action })).status).toBe(201);
  const operator = await connectOperator(server.address);
  const [hasty, patient] = [firingsOf(operator, 'hasty'), firingsOf(operator, 'patient')];
  const firstMs = timeBefore(Date.now()) + everyMs;
  await until(
    () => patient.attemptsOf(firstMs),
    (attempts) => attempts !== undefined,
  );

  // The answer to a start is under way for a second. One of those instances is there when Portico is killed.
  await proxy.inject({ delayMs: 2_000 });
  const cutMs = await until(
    async () => {
      for (const ms of timesBetween(firstMs, timeBefore(Date.now())))
        if ((await patient.attemptsOf(ms)) === undefined && (await patient.hasInstance(ms))) return ms;
      return 0;
    },
    (ms) => ms > 0,
  );
  program.kill('SIGKILL');
  proxy.cut();
  const killedMs = Date.now();
  await program.exited;
  await proxy.heal();
  expect(await patient.attemptsOf(cutMs)).toBeUndefined();

  // Portico alone is away.
  const aloneMs = timeBefore(killedMs) + everyMs;
  for (const each of [hasty, patient]) await until(() => each.hasLauncher(aloneMs), Boolean);

  // Temporal is away as well.
  await server.kill();
  const downMs = Date.now();
  const later = startProgram('start', environment);
  await later.addresses();
  await sleep(outageMs - (Date.now() - downMs));
  await server.restart();
  const backMs = Date.now();
  await later.ready();

  const lastMs = timeBefore(Date.now()) + everyMs;
  const all = timesBetween(firstMs, lastMs);
  await until(
    () => Promise.all(all.map((ms) => patient.resultOf(ms))),
    (results) => !results.includes(undefined),
  );
  await until(
    () => hasty.resultOf(lastMs),
    (result) => result !== undefined,
  );

  // Whoever has an hour gets everything, and whatever was interrupted is recorded after all.
  const once = (name: string, times: readonly number[]) =>
    Object.fromEntries(times.map((ms) => [`${tenant}/user-grants/${name}.${textOf(ms)}`, 1]));
  const told = await patient.runs();
  expect(told).toMatchObject(once('patient', all));
  expect(Object.values(told)).toEqual(Object.values(told).map(() => 1));
  expect((await patient.attemptsOf(cutMs))?.count).toBeGreaterThan(1);
  expect(await patient.resultOf(cutMs)).toMatch(/^(joined|replayed)$/);

  // Ten seconds are too short for some, and what Temporal fired while Portico was away is told as missed.
  const results = await Promise.all(all.map((ms) => hasty.resultOf(ms)));
  const outcomes = all.map((ms, index) => ({ ms, result: results[index] }));
  const made = outcomes.filter(({ result }) => result !== undefined && result !== 'missed').map(({ ms }) => ms);
  expect(await hasty.runs()).toMatchObject(once('hasty', made));
  const lost = outcomes.filter(({ ms }) => !made.includes(ms));
  for (const { ms } of lost) expect(await hasty.hasInstance(ms), textOf(ms)).toBe(false);
  expect(outcomes.find(({ ms }) => ms === aloneMs)?.result).toBe('missed');
  const inOutage = ({ ms }: { ms: number }) => ms > downMs && ms < backMs;
  expect(lost.filter(inOutage)).not.toEqual([]);
  expect(outcomes.filter(inOutage).some(({ ms }) => made.includes(ms))).toBe(true);
  const { counts } = (await send.get('/v1/schedules/hasty')).body;
  expect(counts.missed).toBeGreaterThan(0);
  const missed = outcomes.filter(({ result }) => result === 'missed').length;
  console.info(
    `${all.length} times: an hour made ${all.length}, ten seconds ${made.length}, ${missed} missed by Portico`,
  );
  await operator.close();
});
