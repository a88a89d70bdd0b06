import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endProcess, identityOf, runningProcesses } from '../../../local/processes.ts';
import { isServerOn } from '../../../local/temporal/dev-server.ts';
import { isFree } from '../../../local/temporal/ports.ts';
import { provideTemporal, StateFolderInUseError, type Temporal } from '../../../local/temporal/server.ts';
import { freePort } from '../../../src/worker/free-port.ts';

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
  for (const { pid } of serversHere()) await endProcess(pid, { patienceMs: 5_000 });
  rmSync(stateDir, { recursive: true, force: true });
});

const serversHere = () =>
  runningProcesses().filter(({ commandLine }) => isServerOn(join(stateDir, 'temporal', 'temporal.db'), commandLine));

async function provide(port?: number): Promise<Temporal> {
  const environment = { ...clean(process.env), TEMPORAL_DEV_PORT: String(port ?? (await freePort())) };
  const temporal = await provideTemporal({ stateDir, environment, log: (line) => lines.push(line) });
  opened.push(temporal);
  return temporal;
}

/** The tests decide about Temporal, not whoever runs them; the way to the program stays. */
const clean = (environment: NodeJS.ProcessEnv) =>
  Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_') || name === 'TEMPORAL_CLI_PATH'),
  );

/** A program that provides itself a server and is there to be killed. Resolves once it is served. */
async function portico(port: number): Promise<ChildProcess> {
  const script = `
    const { register } = await import('tsx/esm/api');
    register();
    const { provideTemporal } = await import(${JSON.stringify(new URL('../../../local/temporal/server.ts', import.meta.url))});
    const { address } = await provideTemporal({ stateDir: ${JSON.stringify(stateDir)}, environment: process.env, log() {} });
    console.log(address);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...clean(process.env), TEMPORAL_DEV_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  opened.push({ stop: () => Promise.resolve(child.kill('SIGKILL')) });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  expect(first.toString().trim()).toBe(`${host}:${port}`);
  return child;
}

async function killHard(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
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

const portOf = ({ address }: Temporal) => Number(address.split(':')[1]);

describe('a Temporal server of our own', () => {
  it('knows the search attributes, keeps what ended for 30 days and shows its Web UI', async () => {
    const { address, namespace, uiAddress, adopted } = await provide();
    expect(adopted).toBe(false);
    await ask(address, async ({ operatorService, workflowService }) => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      expect(customAttributes).toMatchObject({ PorticoTenant: 2, PorticoLabels: 7 });
      const { config } = await workflowService.describeNamespace({ namespace });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 86_400);
    });
    expect((await fetch(String(uiAddress))).status).toBe(200);
  });

  it('ends when Portico stops, and is not news', async () => {
    const temporal = await provide();
    const [server] = serversHere();
    await temporal.stop();
    expect(identityOf(Number(server?.pid))).toBeUndefined();
    await expect(isFree(portOf(temporal), host)).resolves.toBe(true);
    expect(lines).toEqual([]);
  });

  it('says so when it ends without being told to', async () => {
    await provide();
    await endProcess(Number(serversHere()[0]?.pid), { patienceMs: 5_000 });
    await expect.poll(() => lines.join()).toContain('ended unexpectedly');
  });

  it('comes back on the same ports with the same database', async () => {
    const first = await provideFreely();
    const id = (address: string) => ask(address, async (c) => (await c.workflowService.getClusterInfo({})).clusterId);
    const clusterId = await id(first.address);
    await first.stop();
    const second = await provideFreely();
    expect(second).toMatchObject({ address: first.address, uiAddress: first.uiAddress, adopted: false });
    await expect(id(second.address)).resolves.toBe(clusterId);
  });

  /** Without a port of its own choice. */
  async function provideFreely(): Promise<Temporal> {
    const temporal = await provideTemporal({
      stateDir,
      environment: clean(process.env),
      log: (line) => lines.push(line),
    });
    opened.push(temporal);
    return temporal;
  }

  it('moves when a stranger has taken its port of last time', async () => {
    const first = await provideFreely();
    await first.stop();
    await occupy(portOf(first));
    const second = await provideFreely();
    expect(second.address).not.toBe(first.address);
    expect(lines.join()).toContain(`from port ${portOf(first)}`);
  });

  it('refuses a port that a stranger has when that port was asked for', async () => {
    const stranger = (await occupy()).address() as AddressInfo;
    await expect(provide(stranger.port)).rejects.toThrow(/taken.*TEMPORAL_DEV_PORT/);
    expect(serversHere()).toEqual([]);
  });
});

describe('a server left running by a Portico that was killed', () => {
  it('is adopted by the next start, and ends when that one stops', async () => {
    const port = await freePort();
    const child = await portico(port);
    const [left] = serversHere();
    await killHard(child);
    const temporal = await provide(port);
    expect(temporal).toMatchObject({ address: `${host}:${port}`, adopted: true });
    expect(serversHere()).toEqual([left]);
    await temporal.stop();
    expect(serversHere()).toEqual([]);
  });

  it('is ended and replaced when it does not answer', async () => {
    const port = await freePort();
    await killHard(await portico(port));
    const left = Number(serversHere()[0]?.pid);
    process.kill(left, 'SIGSTOP');
    const temporal = await provide(port);
    expect(temporal.adopted).toBe(false);
    expect(serversHere().map(({ pid }) => pid)).not.toContain(left);
  });

  it('is left alone while its Portico lives: the folder is refused', async () => {
    const child = await portico(await freePort());
    const refused = provide();
    await expect(refused).rejects.toThrow(StateFolderInUseError);
    await expect(refused).rejects.toThrow(`process ${String(child.pid)}`);
    expect(serversHere()).toHaveLength(1);
  });

  it('is not mistaken for another folder’s', async () => {
    await killHard(await portico(await freePort()));
    const otherDir = mkdtempSync(join(tmpdir(), 'portico-state-'));
    const environment = { ...clean(process.env), TEMPORAL_DEV_PORT: String(await freePort()) };
    const other = await provideTemporal({ stateDir: otherDir, environment, log: (line) => lines.push(line) });
    expect(other.adopted).toBe(false);
    await other.stop();
    rmSync(otherDir, { recursive: true });
    expect(serversHere()).toHaveLength(1);
  });
});

describe('TEMPORAL_ADDRESS', () => {
  it('is taken as it is, and nothing is started', async () => {
    const environment = { TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_NAMESPACE: 'money', PATH: '' };
    const temporal = await provideTemporal({ stateDir, environment, log: (line) => lines.push(line) });
    expect(temporal).toMatchObject({ address: 'temporal.example:7233', namespace: 'money', adopted: false });
    expect(temporal.uiAddress).toBeUndefined();
    await temporal.stop();
    expect(() => readFileSync(join(stateDir, 'temporal', 'server.json'))).toThrow(/ENOENT/);
  });
});
