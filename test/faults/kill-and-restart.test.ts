import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { findTemporalCli } from '../../local/temporal/cli.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { layFreezing } from '../fixtures/stuck-transfers.ts';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { reportEmbedded } from '../harness/money-report.ts';
import { killProcess, temporalServersOn } from '../harness/processes.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';

const random = createRandom();
const folder = mkdtempSync(join(tmpdir(), 'portico-kill-'));

/** A copy of Portico as `npm start` runs it, in a folder and on ports of its own. */
async function createCopy(name: string) {
  const stateDir = mkdtempSync(join(folder, `${name}-`));
  const environment = {
    PORT: String(await freePort()),
    ADMIN_PORT: String(await freePort()),
    TEMPORAL_DEV_PORT: String(await freePort()),
    TEMPORAL_CLI_PATH: findTemporalCli({ environment: process.env, log: () => undefined }) ?? '',
    PORTICO_STATE_DIR: stateDir,
    ...mixedEnvironment,
  };
  return {
    stateDir,
    environment,
    temporalAddress: `127.0.0.1:${environment.TEMPORAL_DEV_PORT}`,
    url: `http://127.0.0.1:${environment.PORT}`,
    caller: createDevelopmentCaller({ stateDir, tenant: name }),
    begin: (): Program => startProgram('start', environment),
    /** The processes of its Temporal server; more than one would corrupt its file. */
    temporalServers: (): number[] => temporalServersOn(stateDir),
  };
}

type Copy = Awaited<ReturnType<typeof createCopy>>;

const outcomeOf = async ({ caller, url }: Copy, id: string): Promise<string> =>
  (await closed(caller.at(url), `/v1/transfers/${id}`)).body.outcome as string;

/** Which transfers were started, and which of these starts were acknowledged. */
interface Load {
  readonly tried: Set<string>;
  readonly acknowledged: Set<string>;
}

/** Starts transfers until nobody answers any more. */
async function startMany(url: string, caller: Caller, { tried, acknowledged }: Load, prefix: string): Promise<void> {
  for (let index = 0; ; index += 1) {
    const id = `${prefix}-${index}`;
    tried.add(id);
    try {
      const headers: Record<string, string> = random.between(0, 2) === 0 ? { prefer: 'wait=2' } : {};
      const { status } = await caller.at(url).post('/v1/transfers', transferOf(id), { headers });
      if (status < 300) acknowledged.add(id);
    } catch {
      return;
    }
  }
}

describe('npm start', () => {
  /** Those of the test that runs: a test that is repeated begins from nothing. */
  const copies: Copy[] = [];
  const newCopy = async (name: string): Promise<Copy> => {
    const copy = await createCopy(name);
    copies.push(copy);
    return copy;
  };
  afterEach(async () => {
    await endPrograms();
    const left = copies.splice(0).flatMap((copy) => copy.temporalServers());
    for (const pid of left) await killProcess(pid);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it(
    'goes on where it was killed, again and again, and nothing that was acknowledged is lost',
    async () => {
      const first = await newCopy('first');
      const { caller, url } = first;
      await layFreezing(first.stateDir);
      let program = first.begin();
      await program.ready();
      expect(first.temporalServers()).toHaveLength(1);
      await caller.at(url).openAccounts('payer', 'payee');
      await caller.at(url).post('/v1/transfers', transferOf('patient', aboveLimit));
      const patient = () => caller.at(url).get('/v1/transfers/patient');
      await until(patient, ({ body }) => body.step === 'awaiting-approval');

      const mix = createMix({ random, send: () => caller.at(url) });
      await mix.open();
      let isOver = false;
      const mixing = mix.run({ atLeast: scaled(21), isOver: () => isOver });
      // Told where it is awaited; a kill must not come before that.
      mixing.catch(() => undefined);
      const load: Load = { tried: new Set(), acknowledged: new Set() };
      const { tried, acknowledged } = load;
      const kills = scaled(3);
      for (let round = 0; round < kills; round += 1) {
        const loading = inParallel(4, [0, 1, 2, 3], (lane) => startMany(url, caller, load, `r${round}-${lane}`));
        const before = acknowledged.size;
        await until(
          () => acknowledged.size - before,
          (count) => count >= 8,
        );
        await sleep(random.between(0, 800));
        program.kill('SIGKILL');
        expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
        await loading;
        await until(
          () => first.temporalServers(),
          (servers) => servers.length === 0,
        );

        program = first.begin();
        await program.ready();
        expect(first.temporalServers()).toHaveLength(1);
        expect((await patient()).body).toMatchObject({ status: 'running', step: 'awaiting-approval' });
      }

      isOver = true;
      await mixing;
      const outcomes = await mix.outcomes();

      // Right after a kill the answer may be 504, to be repeated: the workers have the steps of all others to make up for.
      await until(
        () => caller.at(url).post('/v1/transfers/patient/approve', {}, { subject: 'bob' }),
        ({ status }) => status < 300,
      );
      expect(await outcomeOf(first, 'patient')).toBe('completed');
      await inParallel(8, [...acknowledged], async (id) => expect(await outcomeOf(first, id), id).toBe('completed'));
      // Those whose start was not acknowledged as well: the sums below know no transfer that is half done.
      await inParallel(8, [...tried], async (id) => {
        await until(
          () => caller.at(url).get(`/v1/transfers/${id}`),
          ({ status, body }) => status === 404 || body.status === 'closed',
        );
      });

      const operator = await connectOperator(first.temporalAddress);
      const counted = [...acknowledged, ...mix.ids()].map((id) => `${caller.tenant}/transfers/${id}`);
      const interrupted = (await inParallel(8, counted, operator.interruptedActivities)).reduce((a, b) => a + b, 0);
      await operator.close();

      const exit = await program.stop();
      expect(exit, program.log()).toMatchObject({ code: 0 });
      expect(first.temporalServers()).toEqual([]);
      const report = await reportEmbedded(first.stateDir, caller.tenant);
      expect(report.findings).toEqual([]);
      expect([...acknowledged].filter((id) => report.outcomes.get(id) !== 'completed')).toEqual([]);
      const small = [...tried].filter((id) => report.outcomes.get(id) === 'completed').length;
      expect(report.balances.get('payee')).toBe(100_000_000n + 2_000_000n + 100n * BigInt(small));
      expect(report.balances.get('payer')).toBe(100_000_000n - 2_000_000n - 100n * BigInt(small));
      mix.expectMoney(report);
      const met = { kills, acknowledged: acknowledged.size, interrupted, ...outcomes, ...mix.seen };
      expectEnough('kills of npm start', met);
    },
    scaled(1_800_000),
  );

  it(
    'starts after it was killed while it started, from the very first time on',
    async () => {
      const young = await newCopy('young');
      const moments: number[] = [];
      for (let round = 0; round < scaled(3); round += 1) {
        const killed = young.begin();
        const afterMs = random.between(300, 4_500);
        moments.push(afterMs);
        await sleep(afterMs);
        killed.kill('SIGKILL');
        await killed.exited;
      }
      console.info(`killed after ${moments.join(', ')} ms`);
      const program = young.begin();
      await program.ready();
      await young.caller.at(young.url).openAccounts('payer', 'payee');
      await young.caller.at(young.url).post('/v1/transfers', transferOf('young'));
      expect(await outcomeOf(young, 'young')).toBe('completed');
      expect(young.temporalServers()).toHaveLength(1);
      expect(await program.stop()).toMatchObject({ code: 0 });
      expect(young.temporalServers()).toEqual([]);
    },
    scaled(1_800_000),
  );

  it('runs beside a copy of its own, and refuses a folder or a port that is in use', async () => {
    const [first, second] = [await newCopy('first'), await newCopy('second')];
    const [one, two] = [first.begin(), second.begin()];
    await Promise.all([one.ready(), two.ready()]);
    for (const { caller, url } of [first, second]) {
      await caller.at(url).openAccounts('ann', 'ben');
      const headers = { prefer: 'wait=20' };
      const done = await caller
        .at(url)
        .post('/v1/transfers', transferOf('same-name', { minor: '1250', from: 'ann', to: 'ben' }), { headers });
      expect(done.body.outcome).toBe('completed');
    }
    const ports = { PORT: '0', ADMIN_PORT: '0', TEMPORAL_DEV_PORT: String(await freePort()) };
    const onFolder = startProgram('start', { ...first.environment, ...ports });
    const onPort = startProgram('start', { ...first.environment, PORTICO_STATE_DIR: join(folder, 'third') });
    expect(await onFolder.exited).toEqual({ code: 1, signal: null });
    expect(onFolder.log()).toMatch(/folder .*first.* is in use by process \d+: stop it, or choose another folder/);
    expect(onFolder.log()).toContain('PORTICO_STATE_DIR');
    expect(await onPort.exited).toEqual({ code: 1, signal: null });
    expect(onPort.log()).toContain(
      `Port ${first.environment.PORT} of 127.0.0.1 is already in use: set PORT to another`,
    );

    // Those that were refused have done no harm.
    for (const { caller, url } of [first, second])
      expect((await caller.at(url).get('/v1/accounts/ben')).status).toBe(200);
    const exits = await Promise.all([one.stop(), two.stop()]);
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
    expect([...first.temporalServers(), ...second.temporalServers()]).toEqual([]);
  }, 1_200_000);
});
