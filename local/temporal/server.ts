import { existsSync, mkdirSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/worker/free-port.ts';
import { type FolderLock, lockFolder } from '../folder-lock.ts';
import { endProcess, runningProcesses } from '../processes.ts';
import { provideTemporalCli } from './cli.ts';
import { DevServerError, host, isServerOn, portsIn, startDevServer } from './dev-server.ts';
import { choosePorts, isFree, readRecord, type ServerPorts, writeRecord } from './ports.ts';
import { clusterIdAt, keepForDays } from './probe.ts';

export interface TemporalOptions {
  /** The server keeps its database, its log and its ports in the folder `temporal` below. */
  readonly stateDir: string;
  /**
   * `TEMPORAL_ADDRESS` and `TEMPORAL_NAMESPACE` name a server that runs. Without an address one is started, on
   * `TEMPORAL_DEV_PORT` if that is set.
   */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Receives lines for a person. */
  readonly log: (line: string) => void;
  /** Gives up an installation or a start that is under way. */
  readonly signal?: AbortSignal;
}

export interface Temporal {
  readonly address: string;
  readonly namespace: string;
  /** Where Temporal's Web UI is, if the server is ours. */
  readonly uiAddress?: string;
  /** True if the server was left running by a Portico that was killed. */
  readonly adopted: boolean;
  /** Ends the server if it is ours, also if it was adopted. */
  stop(): Promise<void>;
}

/** The state folder belongs to another Portico that runs. */
export class StateFolderInUseError extends Error {
  override readonly name = 'StateFolderInUseError';
}

/**
 * Provides a Temporal server for one Portico: the one that `TEMPORAL_ADDRESS` names; else the one on this state
 * folder's database that still runs because its Portico was killed; else a new one, on the ports of last time where
 * they are free. Throws {@link StateFolderInUseError} beside a second Portico on the same folder.
 */
export async function provideTemporal(options: TemporalOptions): Promise<Temporal> {
  const { environment, stateDir } = options;
  const address = environment['TEMPORAL_ADDRESS'] ?? '';
  if (address !== '') {
    const namespace = environment['TEMPORAL_NAMESPACE'] ?? '';
    return { address, namespace: namespace || 'default', adopted: false, stop: () => Promise.resolve() };
  }
  mkdirSync(join(stateDir, 'temporal'), { recursive: true, mode: 0o700 });
  // A running server is known by the name of its database, which must be the same from wherever it is looked for.
  const folder = realpathSync(join(stateDir, 'temporal'));
  const lock = await lockOf(folder);
  try {
    const left = await adopt(folder, options);
    const server = left ?? (await start(folder, options));
    return {
      address: `${host}:${server.port}`,
      namespace: 'default',
      uiAddress: `http://${host}:${server.uiPort}`,
      adopted: left !== undefined,
      stop: async () => {
        server.expectEnd();
        await endProcess(server.pid, { patienceMs: stopPatienceMs });
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

const stopPatienceMs = 10_000;
const answerPatienceMs = 5_000;
const retentionDays = 30;

interface OwnServer extends ServerPorts {
  readonly pid: number;
  /** From now on its end is no news. */
  expectEnd(): void;
}

const databaseIn = (folder: string) => join(folder, 'temporal.db');

async function lockOf(folder: string): Promise<FolderLock> {
  try {
    return await lockFolder(folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'the state folder cannot be locked';
    throw new StateFolderInUseError(`${reason} (PORTICO_STATE_DIR).`, { cause: error });
  }
}

/**
 * The server that runs on our database, told by its command line, if it answers with the database's own id.
 * One that does not answer is ended: a second one beside it would corrupt the file.
 */
async function adopt(folder: string, { log, signal }: TemporalOptions): Promise<OwnServer | undefined> {
  const left = runningProcesses().filter(({ commandLine }) => isServerOn(databaseIn(folder), commandLine));
  for (const { pid, commandLine } of left) {
    const ports = portsIn(commandLine);
    if (left.length === 1 && (await answersAs(readRecord(folder)?.clusterId, ports.port, signal))) {
      log(`The Temporal server of the last run goes on (process ${pid}).`);
      return { pid, ...ports, expectEnd: () => undefined };
    }
    log(`The Temporal server of the last run does not answer (process ${pid}): it is ended.`);
    await endProcess(pid, { patienceMs: answerPatienceMs });
  }
  return undefined;
}

/** A server whose Portico was killed while it started has no id on record yet; it is ours all the same. */
async function answersAs(clusterId: string | undefined, port: number, signal?: AbortSignal): Promise<boolean> {
  for (const until = Date.now() + answerPatienceMs; Date.now() < until;) {
    signal?.throwIfAborted();
    const answered = await clusterIdAt(`${host}:${port}`, { timeoutMs: 2_000 });
    if (answered !== undefined) return clusterId === undefined || answered === clusterId;
    await sleep(100);
  }
  return false;
}

async function start(folder: string, options: TemporalOptions): Promise<OwnServer> {
  const cliPath = await provideTemporalCli(options);
  const wanted = Number(options.environment['TEMPORAL_DEV_PORT'] ?? '') || undefined;
  const ports = await choosePorts(folder, wanted);
  try {
    return await startOn(ports, { ...options, folder, cliPath });
  } catch (error) {
    // Somebody else may have taken a port since we looked.
    const wereFree = (await isFree(ports.port, host)) && (await isFree(ports.uiPort, host));
    if (!(error instanceof DevServerError) || wereFree || wanted !== undefined) throw error;
    return startOn({ port: await freePort(), uiPort: await freePort() }, { ...options, folder, cliPath });
  }
}

async function startOn(
  ports: ServerPorts,
  { folder, cliPath, log, signal }: TemporalOptions & { folder: string; cliPath: string },
): Promise<OwnServer> {
  const last = readRecord(folder);
  if (last !== undefined && last.port !== ports.port) log(`Temporal moves from port ${last.port} to ${ports.port}.`);
  const logFile = join(folder, 'server.log');
  if (existsSync(logFile)) renameSync(logFile, join(folder, 'server.previous.log'));
  const databaseFile = databaseIn(folder);
  const server = await startDevServer({ cliPath, databaseFile, ...ports, logFile, ...(signal && { signal }) });
  try {
    await keepForDays(server.address, retentionDays);
    writeRecord(folder, { ...ports, clusterId: server.clusterId });
  } catch (error) {
    await endProcess(server.pid, { patienceMs: stopPatienceMs });
    throw error;
  }
  let isExpected = false;
  void server.ended.then((how) => {
    if (!isExpected) log(`The Temporal server has ended unexpectedly: ${how}. Its log is ${logFile}.`);
  });
  return { pid: server.pid, ...ports, expectEnd: () => (isExpected = true) };
}
