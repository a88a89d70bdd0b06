import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noticesOf } from '../../scripts/build/notices.ts';
import { buildProgram, warmPrograms } from '../../scripts/build/program.ts';
import { writeReference } from '../../scripts/build/reference.ts';
import { compileProgram } from '../../src/program/code-cache.ts';
import { transferOf } from '../fixtures/transfers.ts';
import { createDevelopmentCaller } from '../harness/caller.ts';
import { unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { currentWorkflows, sharedBundle } from '../servers/bundles.ts';
import { createDeployment, createSecrets, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, readiness, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const project = join(import.meta.dirname, '..', '..');
// As deep as `dist`: what a build leaves out it takes from `node_modules` beside it.
const output = mkdtempSync(join(project, '.portico-built-'));
const main = join(output, 'src/main.js');
const file = (name: string) => join(output, 'src', name);
let notices = '';

beforeAll(async () => {
  notices = noticesOf(project, await buildProgram(output));
  cpSync(join(project, 'src/database/migrations'), join(output, 'src/database/migrations'), { recursive: true });
  cpSync((await sharedBundle(currentWorkflows)).codePath, join(output, 'workflow-bundle.js'));
  writeReference(output);
  await warmPrograms(output);
}, 120_000);
afterEach(endPrograms);
afterAll(() => rmSync(output, { recursive: true }));

/** Nobody listens there. */
const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:1', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };

const serving = (settings: Readonly<Record<string, string>> = {}) => {
  const { environment } = createSecrets(output);
  const ports = { PORT: '0', ADMIN_PORT: '0' };
  return startProgram([main], {
    ...nowhere,
    ...environment,
    ...ports,
    ROLE: 'api',
    PORTICO_DRAIN_DELAY: '0s',
    ...settings,
  });
};

const command = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, [main, ...words], { env, encoding: 'utf8' });

describe('a built program', () => {
  it('names source files where it logs an error', async () => {
    const program = serving();
    await program.addresses();
    await until(
      () => program.log(),
      (log) => log.includes('"stack"'),
    );
    expect(program.log()).toMatch(/ at .*\(src\/orchestration\/connection\.ts:\d+:\d+\)/);
    expect(program.log()).not.toContain('program.cjs');
  });

  it('shows the reference that was built, without the program that renders it', async () => {
    const program = serving({ PORTICO_DOCS: 'public' });
    const { url } = await program.addresses();
    for (const path of ['/', '/docs', '/openapi.json', '/openapi.yaml']) {
      const answer = await fetch(new URL(path, url), { headers: { Accept: 'text/html' } });
      expect([path, answer.status]).toEqual([path, 200]);
      if (path === '/docs') expect(await answer.text()).toContain('<article id="startTransfer"');
    }
    expect(readFileSync(file('program.cjs'), 'latin1')).not.toContain('Before the first request');
  });

  it('says 500 while a part of that is missing, for nobody to keep', async () => {
    const docs = join(output, 'reference/docs.html');
    const page = readFileSync(docs);
    rmSync(docs);
    const { url } = await serving({ PORTICO_DOCS: 'public' }).addresses();
    const asking = () => fetch(new URL('/docs', url));
    const broken = await asking();
    expect([broken.status, broken.headers.get('cache-control')]).toEqual([500, 'no-store']);
    writeFileSync(docs, page);
    expect((await asking()).status).toBe(200);
  });

  it('shows nothing of that, and to no page, unless a setting says so', async () => {
    const asking = (url: string) => fetch(new URL('/docs', url), { headers: { Origin: 'https://app.example' } });
    const { url } = await serving().addresses();
    const refused = await asking(url);
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([404, null]);
    const open = await serving({ PORTICO_DOCS: 'token', PORTICO_CORS_ORIGINS: 'https://app.example' }).addresses();
    const allowed = await asking(open.url);
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([401, 'https://app.example']);
  });

  it('has the relay beside it, with what it needs', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(output, 'relay/main.js')], {
      env: {},
      encoding: 'utf8',
    });
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('RELAY_PORTICO_URL') as string,
    });
    expect(readFileSync(join(output, 'relay/schema.sql'), 'utf8')).toContain('create table if not exists outbox');
  });

  it.each(['migrate', 'missing'])('knows the command %s, which says what it needs', (name) => {
    const { status, stdout, stderr } = command([name]);
    expect(status).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/DATABASE_URL|--since/);
  });

  it('refuses a command that there is not', () => {
    const { status, stderr } = command(['nonsense']);
    expect([status, stderr.trim()]).toEqual([
      1,
      'There is no command "nonsense": give none to serve, or one of migrate, missing.',
    ]);
  });

  it('comes with the licences of what it consists of', () => {
    for (const name of ['fastify', '@temporalio/worker', 'zod', 'pg']) expect(notices).toContain(`\n${name} `);
    expect(notices).toContain('Permission is hereby granted');
  });
});

describe('a code cache', () => {
  const isRejected = (name: string) => compileProgram(pathToFileURL(file(name))).cachedDataRejected;

  it.each(['program.cjs', 'workflow-thread.cjs'])('of %s is taken, whatever the sizes of heaps are', (name) => {
    expect(isRejected(name)).toBe(false);
    setFlagsFromString('--max-semi-space-size=3');
    expect(isRejected(name)).toBe(false);
    setFlagsFromString('--max-semi-space-size=0');
  });

  it('is not taken where V8 may compile otherwise', () => {
    process.execArgv.push('--no-opt');
    setFlagsFromString('--max-semi-space-size=3');
    expect(isRejected('program.cjs')).toBe(true);
    setFlagsFromString('--max-semi-space-size=0');
    process.execArgv.pop();
  });

  it.each([
    ['cut', () => truncateSync(file('program.cache'), 50_000)],
    ['empty', () => writeFileSync(file('program.cache'), '')],
    ['something else', () => writeFileSync(file('program.cache'), 'x'.repeat(100_000))],
    ['not there', () => rmSync(file('program.cache'))],
  ])('that is %s costs time and nothing else', async (_, spoil) => {
    const whole = readFileSync(file('program.cache'));
    spoil();
    const program = serving();
    const { adminUrl } = await program.addresses();
    expect((await readiness(adminUrl)).status).toBe(200);
    expect(program.log()).not.toMatch(/cache|reject/i);
    writeFileSync(file('program.cache'), whole);
  });
});

describe.skipIf(postgresSkipReason() !== undefined)('a built program beside its servers', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment({ isMigrated: false }), startTemporalServer()]);
  });
  afterAll(async () => {
    await endPrograms();
    await Promise.all([server.stop(), deployment.close()]);
  });

  it('migrates, and runs workflows by its own bundle and in threads of one file', async () => {
    const { PORTICO_WORKFLOW_BUNDLE: _, ...environment } = deployment.environment;
    const migrated = command(['migrate'], {
      DATABASE_URL: environment.DATABASE_URL,
      DATABASE_OWNER_URL: deployment.ownerUrl,
    });
    expect([migrated.status, migrated.stderr]).toEqual([0, '']);

    const program = startProgram([main], { ...environment, TEMPORAL_ADDRESS: server.address });
    const { url } = await program.ready();
    const caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('built') }).at(url);
    await caller.openAccounts('payer', 'payee');
    const headers = { Prefer: 'wait=10' };
    const reply = await caller.post('/v1/transfers', transferOf('built'), { headers });
    expect([reply.status, reply.body.outcome]).toEqual([200, 'completed']);
    expect((await program.stop()).code).toBe(0);
  });
});
