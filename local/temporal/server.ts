import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/worker/free-port.ts';
import { identityOf } from '../processes.ts';
import { provideTemporalCli } from './cli.ts';
import { type DevServer, DevServerError, host, startDevServer } from './dev-server.ts';
import { watchInterrupted } from './interrupted.ts';
import { choosePorts, isFree, readRecord, type ServerPorts, writeRecord } from './ports.ts';
import { waitForPrevious } from './previous.ts';
import { isInterruptedAt, keepForDays } from './probe.ts';

export interface TemporalOptions {
  /** The server keeps its database, its log and its ports in the folder `temporal` below. Lock the folder first. */
  readonly stateDir: string;
  /** Tells where the Temporal program is, and how to install one. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The port of the server. Not given: that of last time, or a free one. */
  readonly port?: number | undefined;
  /** Whether the server at an address calls its database interrupted. Not given: it is asked. */
  readonly isInterrupted?: (address: string) => Promise<boolean>;
  /** Receives lines for a person. */
  readonly log: (line: string) => void;
  /** Gives up an installation or a start that is under way. */
  readonly signal?: AbortSignal | undefined;
}

export interface Temporal {
  readonly address: string;
  /** Where Temporal's Web UI is. */
  readonly uiAddress: string;
  /** Ends the server in order. The end of this process ends it as well. */
  stop(): Promise<void>;
}

const retentionDays = 30;
const probeLimitMs = 5_000;

/**
 * Runs a Temporal server on the database of this state folder, on the ports of last time where they are free. Throws a
 * `StartError` while a server of an earlier run still has that database.
 */
export async function provideTemporal(options: TemporalOptions): Promise<Temporal> {
  const { stateDir, signal } = options;
  mkdirSync(join(stateDir, 'temporal'), { recursive: true, mode: 0o700 });
  const folder = realpathSync(join(stateDir, 'temporal'));
  await waitForPrevious(folder, signal);
  const cliPath = await provideTemporalCli(options);
  const given = { ...options, folder, cliPath };
  let { server, ports } = await start(given);
  const { isInterrupted = (address: string) => isInterruptedAt(address, { timeoutMs: probeLimitMs }) } = options;
  const watch = watchInterrupted({
    isInterrupted: () => isInterrupted(server.address),
    async replace() {
      options.log('The Temporal server calls its database interrupted. It is started again on the same database.');
      await server.end();
      ({ server, ports } = await startOn(ports, given));
    },
    onFailure: (error) => options.log(`The Temporal server could not be started again: ${String(error)}`),
  });
  return {
    address: server.address,
    uiAddress: `http://${host}:${ports.uiPort}`,
    async stop() {
      await watch.stop();
      await server.end();
    },
  };
}

interface Started {
  readonly server: DevServer;
  readonly ports: ServerPorts;
}

interface Given extends TemporalOptions {
  readonly folder: string;
  readonly cliPath: string;
}

async function start(given: Given): Promise<Started> {
  const ports = await choosePorts(given.folder, given.port);
  try {
    return await startOn(ports, given);
  } catch (error) {
    // Somebody else may have taken a port since we looked.
    const wereFree = (await isFree(ports.port)) && (await isFree(ports.uiPort));
    if (!(error instanceof DevServerError) || wereFree || given.port !== undefined) throw error;
    return startOn({ port: await freePort(), uiPort: await freePort() }, given);
  }
}

async function startOn(ports: ServerPorts, { folder, cliPath, log, signal }: Given): Promise<Started> {
  const last = readRecord(folder);
  if (last !== undefined && last.port !== ports.port) log(`Temporal moves from port ${last.port} to ${ports.port}.`);
  const logFile = join(folder, 'server.log');
  if (existsSync(logFile)) renameSync(logFile, join(folder, 'server.previous.log'));
  const databaseFile = join(folder, 'temporal.db');
  // A server that was killed while it made its tables cannot go on with that file, and nobody has used it yet.
  if (last?.isFresh) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${databaseFile}${suffix}`, { force: true });
  }
  const isFresh = !existsSync(databaseFile);
  // Written before the server is there, and before it serves: the next start has to know what was left behind.
  writeRecord(folder, { ...ports, clusterId: last?.clusterId, isFresh });
  const server = await startDevServer({
    cliPath,
    databaseFile,
    ...ports,
    logFile,
    signal,
    onSpawn: (pid) => writeRecord(folder, { ...ports, clusterId: last?.clusterId, isFresh, process: processOf(pid) }),
  });
  try {
    await keepForDays(server.address, retentionDays);
    writeRecord(folder, { ...ports, clusterId: server.clusterId, process: processOf(server.pid) });
  } catch (error) {
    await server.end();
    throw error;
  }
  let isExpected = false;
  void server.ended.then((how) => {
    if (!isExpected) log(`The Temporal server has ended unexpectedly: ${how}. Its log is ${logFile}.`);
  });
  const end = async () => {
    isExpected = true;
    await server.end();
  };
  return { server: { ...server, end }, ports };
}

function processOf(pid: number) {
  const identity = identityOf(pid);
  return identity === undefined ? undefined : { pid, identity };
}
