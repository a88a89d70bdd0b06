import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { signDevelopmentToken } from '../../local/development-token.ts';
import { isFree } from '../../local/temporal/ports.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { killProcess, temporalServersOn } from '../harness/processes.ts';

const project = new URL('../../', import.meta.url);
const startMs = 300_000;

let stateDir: string;
let environment: Record<string, string | undefined>;
let children: ChildProcess[];

beforeEach(async () => {
  stateDir = realpathSync(mkdtempSync(join(tmpdir(), 'portico-start-')));
  children = [];
  environment = {
    ...withoutSettings(process.env),
    PORT: String(await freePort()),
    ADMIN_PORT: String(await freePort()),
    TEMPORAL_DEV_PORT: String(await freePort()),
    PORTICO_STATE_DIR: stateDir,
    LOG_LEVEL: 'warn',
  };
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const pid of temporalServers()) await killProcess(pid);
  rmSync(stateDir, { recursive: true, force: true });
});

/** The tests decide about the settings, not whoever runs them. */
const withoutSettings = (given: NodeJS.ProcessEnv) =>
  Object.fromEntries(
    Object.entries(given).filter(
      ([name]) => name === 'TEMPORAL_CLI_PATH' || !/^(TEMPORAL_|PORTICO_|DATABASE_|ROLE$|HOST$|PORT$)/.test(name),
    ),
  );

const temporalServers = (): number[] => (existsSync(join(stateDir, 'temporal')) ? temporalServersOn(stateDir) : []);

/** What `npm start` runs. Everything it prints is kept. */
function start(settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['local/start.mjs'], {
    cwd: project,
    env: { ...environment, ...settings },
    // Its own process group, as a shell gives it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    ended,
    printed: () => printed,
    async served(): Promise<void> {
      const isServed = () => printed.includes('/v1/accounts/bob\n');
      await expect.poll(() => isServed() || child.exitCode !== null, { timeout: startMs, interval: 100 }).toBe(true);
      expect(isServed(), printed).toBe(true);
    },
  };
}

const url = (path: string) => `http://127.0.0.1:${environment['PORT'] ?? ''}${path}`;

const instance = z.object({
  status: z.string(),
  step: z.string().optional(),
  outcome: z.string().optional(),
  runId: z.string(),
});

/** A call by somebody with every permission it takes. */
async function call(subject: string, method: string, path: string, body?: unknown) {
  const permissions = ['accounts:write', 'transfers:start', 'transfers:read', 'transfers:approve'];
  const token = await signDevelopmentToken(stateDir, { subject, tenant: 'acme', permissions, lifetimeSeconds: 600 });
  const answer = await fetch(url(path), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=15' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

describe('npm start', { timeout: 4 * startMs }, () => {
  it('serves from nothing; what it prints, pasted into a shell, moves money', async () => {
    const portico = start();
    await portico.served();
    const lines = portico.printed().match(/^(TOKEN=|for |curl ).*$/gm) ?? [];
    expect(lines).toHaveLength(4);
    const paste = () => spawnSync('sh', ['-c', lines.join('\n')], { encoding: 'utf8' });
    // What is pasted waits for ten seconds, which a slow machine may exceed. Pasted again it does the same once.
    let shown = paste();
    for (let again = 0; again < 5 && !shown.stdout.includes('"outcome"'); again += 1) shown = paste();
    expect(shown.stderr).toBe('');
    expect(shown.stdout).toContain('"outcome":"completed"');
    expect(shown.stdout.trim().split('\n').at(-1)).toContain('"balance":{"minor":"101250"}');
    const ui = /Web UI is at (\S+)\./.exec(portico.printed())?.[1] ?? '';
    expect((await fetch(ui)).status).toBe(200);
    const docs = /Read what it offers at (\S+)\./.exec(portico.printed())?.[1] ?? '';
    expect((await fetch(docs)).headers.get('content-type')).toContain('text/html');

    portico.child.kill('SIGTERM');
    await expect.poll(() => portico.printed()).toContain('SIGTERM: stopping.');
    portico.child.kill('SIGTERM');
    expect(await portico.ended).toBe(0);
    expect(portico.printed()).toContain('SIGTERM: already stopping.');
    expect(temporalServers()).toEqual([]);
    for (const name of ['PORT', 'ADMIN_PORT', 'TEMPORAL_DEV_PORT']) {
      await expect(isFree(Number(environment[name]), '127.0.0.1')).resolves.toBe(true);
    }
  });

  it('goes on after kill -9 of its process group: a transfer that waited for approval still waits, and can be approved', async () => {
    const first = start();
    await first.served();
    const opened = { currency: 'EUR', openingBalance: { minor: '5000000' } };
    for (const id of ['carol', 'dave'])
      expect((await call('alice', 'PUT', `/v1/accounts/${id}`, opened)).status).toBe(201);
    const amount = { currency: 'EUR', minor: '2000000' };
    const begun = await fetchInstance('POST', '/v1/transfers', {
      transferId: 'big',
      from: 'carol',
      to: 'dave',
      amount,
    });
    await expect.poll(async () => (await fetchInstance('GET', '/v1/transfers/big')).step).toBe('awaiting-approval');

    const copy = start({ PORT: String(await freePort()), ADMIN_PORT: String(await freePort()) });
    expect(await copy.ended).toBe(1);
    expect(copy.printed()).toMatch(/in use by process \d+.*PORTICO_STATE_DIR/);

    expect(temporalServers()).toHaveLength(1);
    process.kill(-Number(first.child.pid), 'SIGKILL');
    await first.ended;
    await expect.poll(temporalServers, { interval: 10 }).toEqual([]);

    const second = start();
    await second.served();
    expect(second.printed()).not.toMatch(/Temporal (server of|moves)/);
    await expect
      .poll(() => fetchInstance('GET', '/v1/transfers/big').catch(String), { timeout: 120_000 })
      .toMatchObject({ status: 'running', step: 'awaiting-approval', runId: begun.runId });
    // Temporal offers the instance to the dead worker first: until it gives up on it the answer is 504, to be repeated.
    const approved = async () => (await call('bob', 'POST', '/v1/transfers/big/approve', {})).status;
    await expect.poll(approved, { timeout: 120_000 }).toBe(200);
    await expect
      .poll(async () => (await fetchInstance('GET', '/v1/transfers/big')).outcome, { timeout: 120_000 })
      .toBe('completed');

    second.child.kill('SIGINT');
    expect(await second.ended).toBe(0);
    expect(temporalServers()).toEqual([]);
  });

  const fetchInstance = async (method: string, path: string, body?: unknown) => {
    const answer = await call('alice', method, path, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    return instance.parse(answer.body);
  };

  it('ends in order when it is told to while it starts', async () => {
    const portico = start();
    await expect.poll(() => temporalServers().length, { timeout: startMs, interval: 5 }).toBe(1);
    portico.child.kill('SIGTERM');
    expect(await portico.ended).toBe(0);
    expect(temporalServers()).toEqual([]);
  });
});

describe('npm start refuses, before it begins anything,', () => {
  it.each(['PORT', 'ADMIN_PORT'])('a %s that is taken', async (name) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const portico = start({ [name]: String(port) });
    expect(await portico.ended).toBe(1);
    server.close();
    expect(portico.printed()).toContain(`Port ${port} of 127.0.0.1 is already in use: set ${name} to another.`);
    expect(temporalServers()).toEqual([]);
  });

  it('settings that are wrong, with one sentence each and no stack', async () => {
    const portico = start({ PORT: 'http', PORTICO_STATE_DIRR: '/x' });
    expect(await portico.ended).toBe(1);
    expect(portico.printed()).toContain('PORTICO_STATE_DIRR is no setting of Portico; did you mean PORTICO_STATE_DIR?');
    expect(portico.printed()).toContain('PORT must be');
    expect(portico.printed()).not.toMatch(/^ +at /m);
  });

  it('a machine without a Temporal program, a network and Go, with every way out of it', async () => {
    const portico = start({
      PATH: dirname(process.execPath),
      TEMPORAL_CLI_PATH: '',
      XDG_CACHE_HOME: join(stateDir, 'cache'),
      HTTPS_PROXY: 'http://127.0.0.1:9',
    });
    expect(await portico.ended).toBe(1);
    expect(portico.printed()).toMatch(/No Temporal server[^]*TEMPORAL_ADDRESS[^]*TEMPORAL_CLI_PATH[^]*install Go/);
    expect(portico.printed()).not.toMatch(/^ +at /m);
  }, 120_000);
});
