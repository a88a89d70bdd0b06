import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../../local/processes.ts';
import { StartError } from '../../../local/start-error.ts';
import { findTemporalCli } from '../../../local/temporal/cli.ts';
import { startDevServer } from '../../../local/temporal/dev-server.ts';
import { isFree, readRecord } from '../../../local/temporal/ports.ts';
import { clusterIdAt } from '../../../local/temporal/probe.ts';
import { provideTemporal, type Temporal as Provided } from '../../../local/temporal/server.ts';
import { freePort } from '../../../src/worker/free-port.ts';
import { killProcess, leashOf, temporalServersOn } from '../../harness/processes.ts';

const host = '127.0.0.1';
let stateDir: string;
let lines: string[];
let opened: { stop(): Promise<unknown> }[];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'portico-state-'));
  lines = [];
  opened = [];
});
afterEach(async () => {
  for (const { stop } of opened) await stop();
  for (const pid of serversHere()) await killProcess(pid);
  rmSync(stateDir, { recursive: true, force: true });
});

const serversHere = (): number[] => temporalServersOn(stateDir);
const recorded = () => readRecord(join(stateDir, 'temporal'));

async function provide(port?: number, signal?: AbortSignal): Promise<Provided> {
  const temporal = await provideTemporal({
    stateDir,
    environment: process.env,
    port,
    signal,
    log: (line) => lines.push(line),
  });
  opened.push(temporal);
  return temporal;
}

/** A program that provides itself a server and is there to be killed. Resolves once it is served. */
async function portico(): Promise<ChildProcess> {
  const script = `
    const { register } = await import('tsx/esm/api');
    register();
    const { provideTemporal } = await import(${JSON.stringify(new URL('../../../local/temporal/server.ts', import.meta.url))});
    const { address } = await provideTemporal({ stateDir: ${JSON.stringify(stateDir)}, environment: process.env, log() {} });
    console.log(address);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  opened.push({ stop: () => Promise.resolve(child.kill('SIGKILL')) });
  await once(child.stdout, 'data');
  return child;
}

async function ask<T>(address: string, question: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address, tls: false });
  try {
    return await question(connection);
  } finally {
    await connection.close();
  }
}

async function occupy(port = 0): Promise<Server> {
  const server = createServer((socket) => socket.end()).listen(port, host);
  await once(server, 'listening');
  opened.push({ stop: () => Promise.resolve(server.close()) });
  return server;
}

const portOf = ({ address }: Provided) => Number(address.split(':')[1]);

describe('a Temporal server of our own', () => {
  it('knows the search attributes, keeps what ended for 30 days and shows its Web UI', async () => {
    const { address, uiAddress } = await provide();
    const namespace = 'default';
    await ask(address, async ({ operatorService, workflowService }) => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      expect(customAttributes).toMatchObject({ PorticoTenant: 2, PorticoLabels: 7 });
      const { config } = await workflowService.describeNamespace({ namespace });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 86_400);
    });
    expect((await fetch(uiAddress)).status).toBe(200);
  });

  it('ends when Portico stops, and is not news', async () => {
    const temporal = await provide();
    const [pid = 0] = serversHere();
    expect(recorded()?.process?.pid).toBe(pid);
    await temporal.stop();
    expect(identityOf(pid)).toBeUndefined();
    await expect(isFree(portOf(temporal), host)).resolves.toBe(true);
    expect(lines).toEqual([]);
  });

  it('says so when it ends without being told to', async () => {
    await provide();
    await killProcess(Number(serversHere()[0]));
    await expect.poll(() => lines.join()).toContain('ended unexpectedly');
  });

  it('comes back on the same ports with the same database', async () => {
    const first = await provide();
    const id = (address: string) => ask(address, async (c) => (await c.workflowService.getClusterInfo({})).clusterId);
    const clusterId = await id(first.address);
    await first.stop();
    const second = await provide();
    expect(second).toMatchObject({ address: first.address, uiAddress: first.uiAddress });
    await expect(id(second.address)).resolves.toBe(clusterId);
  });

  it('moves when a stranger has taken its port of last time', async () => {
    const first = await provide();
    await first.stop();
    await occupy(portOf(first));
    const second = await provide();
    expect(second.address).not.toBe(first.address);
    expect(lines.join()).toContain(`from port ${portOf(first)}`);
  });

  it('refuses a port that a stranger has when that port was asked for', async () => {
    const stranger = (await occupy()).address() as AddressInfo;
    await expect(provide(stranger.port)).rejects.toThrow(/taken.*TEMPORAL_DEV_PORT/);
    expect(serversHere()).toEqual([]);
  });
});

describe('a server whose Portico was killed', () => {
  it('is gone at once, and the next start goes on with its database', async () => {
    const child = await portico();
    const [pid = 0] = serversHere();
    const last = recorded();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const temporal = await provide();
    expect(identityOf(pid)).toBeUndefined();
    expect(serversHere()).toHaveLength(1);
    expect(temporal.address).toBe(`${host}:${String(last?.port)}`);
    await expect(clusterIdAt(temporal.address, { timeoutMs: 5_000 })).resolves.toBe(last?.clusterId);
    expect(lines).toEqual([]);
  });

  it('makes its database anew if it was killed before it ever served', async () => {
    const [port, uiPort] = [await freePort(), await freePort()];
    mkdirSync(join(stateDir, 'temporal'));
    writeFileSync(join(stateDir, 'temporal', 'server.json'), JSON.stringify({ port, uiPort, isFresh: true }));
    writeFileSync(join(stateDir, 'temporal', 'temporal.db'), 'half a database');
    expect((await provide()).address).toBe(`${host}:${port}`);
    expect(recorded()?.clusterId).toBeDefined();
  });

  it('keeps a database that served, also where its record is lost and a start was cut short after that', async () => {
    const before = await provide();
    const clusterId = recorded()?.clusterId;
    await before.stop();
    rmSync(join(stateDir, 'temporal', 'server.json'));
    const cut = new AbortController();
    const provided = provide(undefined, cut.signal);
    await expect.poll(() => recorded()?.process).toBeDefined();
    cut.abort();
    await expect(provided).rejects.toThrow();
    const after = await provide();
    await expect(clusterIdAt(after.address, { timeoutMs: 5_000 })).resolves.toBe(clusterId);
  });

  it('is not taken for what another program runs on its port, if its process is known to be gone', async () => {
    const other = await startDevServer({
      cliPath: findTemporalCli({ environment: process.env, log: () => undefined }) ?? '',
      port: await freePort(),
      logFile: join(stateDir, 'other.log'),
    });
    opened.push({ stop: other.end });
    const port = Number(other.address.split(':')[1]);
    mkdirSync(join(stateDir, 'temporal'));
    const record = { port, uiPort: await freePort(), process: { pid: 1, identity: 'of another boot' } };
    writeFileSync(join(stateDir, 'temporal', 'server.json'), JSON.stringify(record));
    expect((await provide()).address).not.toBe(other.address);
  });

  it('is killed by its Portico, which says so, when its leash is killed', async () => {
    await provide();
    const [pid = 0] = serversHere();
    await killProcess(leashOf(pid));
    await expect.poll(() => lines.join()).toContain('ended unexpectedly: its leash got SIGKILL');
    expect(identityOf(pid)).toBeUndefined();
  });

  it('keeps the next start waiting while it ends', async () => {
    const child = await portico();
    const [pid = 0] = serversHere();
    const leash = leashOf(pid);
    // A stopped leash stands for a machine on which it takes its time.
    process.kill(leash, 'SIGSTOP');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const provided = provide();
    setTimeout(() => process.kill(leash, 'SIGCONT'), 1_000);
    await provided;
    expect(identityOf(pid)).toBeUndefined();
    expect(serversHere()).toHaveLength(1);
  });

  it('is refused by name, and left alone, when its leash was killed with it', async () => {
    const child = await portico();
    const [pid = 0] = serversHere();
    const leash = leashOf(pid);
    process.kill(Number(child.pid), 'SIGSTOP');
    await killProcess(leash);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const refused = provide();
    await expect(refused).rejects.toThrow(StartError);
    await expect(refused).rejects.toThrow(`process ${pid}, on port ${String(recorded()?.port)}, has the database in`);
    expect(serversHere()).toEqual([pid]);
    await killProcess(pid);
    await provide();
  });
});

describe('a server that the first release left behind, without a leash', () => {
  /** As that release started and recorded it. */
  async function leaveBehind(): Promise<{ pid: number; port: number }> {
    await (await provide()).stop();
    const { port = 0, uiPort, clusterId } = recorded() ?? {};
    writeFileSync(join(stateDir, 'temporal', 'server.json'), JSON.stringify({ port, uiPort, clusterId }));
    const cliPath = findTemporalCli({ environment: process.env, log: () => undefined }) ?? '';
    const file = join(stateDir, 'temporal', 'temporal.db');
    const args = ['server', 'start-dev', '--db-filename', file, '--ip', host, '--port', String(port), '--headless'];
    const child = spawn(cliPath, args, { detached: true, stdio: 'ignore' });
    opened.push({ stop: () => killProcess(Number(child.pid)) });
    await expect.poll(() => clusterIdAt(`${host}:${port}`, { timeoutMs: 2_000 }), { timeout: 120_000 }).toBe(clusterId);
    return { pid: Number(child.pid), port };
  }

  it.each([
    ['answers', undefined],
    ['is stopped, and might go on', 'SIGSTOP'],
  ] as const)('is refused by name while it %s, and may be ended by hand', async (_, signal) => {
    const { pid, port } = await leaveBehind();
    if (signal !== undefined) process.kill(pid, signal);
    await expect(provide()).rejects.toThrow(`process ${pid}, on port ${port}, has the database in`);
    expect(serversHere()).toEqual([pid]);
    await killProcess(pid);
    expect((await provide()).address).toBe(`${host}:${port}`);
  });
});
