import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchAttributes } from '../../src/orchestration/search-attributes.ts';
import { endProcess } from '../processes.ts';
import { clusterIdAt } from './probe.ts';

export interface DevServerOptions {
  readonly cliPath: string;
  /** Where its state is kept. Not given: in memory. No two servers may have the same file: they corrupt it. */
  readonly databaseFile?: string;
  readonly port: number;
  /** Not given: no Web UI. */
  readonly uiPort?: number;
  /** Dynamic configuration of Temporal, over what every server here has. */
  readonly dynamicConfig?: Readonly<Record<string, string | number>>;
  /** What the server prints is appended here. */
  readonly logFile: string;
  readonly signal?: AbortSignal;
}

export interface DevServer {
  readonly pid: number;
  readonly address: string;
  readonly clusterId: string;
  /** Resolves with a few words on how it ended. */
  readonly ended: Promise<string>;
}

/** The server ended before it served; `message` holds its last lines. */
export class DevServerError extends Error {
  override readonly name = 'DevServerError';
}

export const host = '127.0.0.1';

/**
 * Starts a Temporal development server in a process group of its own, so that it outlives ctrl-C and this process.
 * Resolves once it serves and knows the search attributes; whoever starts it must end it by its `pid`.
 * Throws {@link DevServerError} if it ends first, which it does where a port is taken, or takes longer than a minute.
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const log = openSync(options.logFile, 'a', 0o600);
  const before = readFileSync(options.logFile).length;
  const child = spawn(options.cliPath, argumentsOf(options), {
    detached: true,
    stdio: ['ignore', log, log],
    env: withoutTemporal(process.env),
  });
  closeSync(log);
  child.unref();
  const ended = endOf(child);
  const printed = () => readFileSync(options.logFile).subarray(before).toString();
  const address = `${host}:${options.port}`;
  const state = { ended: '' };
  void ended.then((how) => (state.ended = how));

  const startedAt = Date.now();
  try {
    for (;;) {
      const clusterId = await clusterIdAt(address, { timeoutMs: 1_000 });
      options.signal?.throwIfAborted();
      if (state.ended !== '' || child.pid === undefined) throw new DevServerError(lastLines(state.ended, printed()));
      // A stranger on the port answers as well: only our own server says in our own log that it took the port.
      if (clusterId !== undefined && new RegExp(`server.*:${options.port}\\s*$`, 'im').test(printed())) {
        return { pid: child.pid, address, clusterId, ended };
      }
      if (Date.now() - startedAt > 60_000) throw new DevServerError(lastLines('did not serve within 60 s', printed()));
      await sleep(30);
    }
  } catch (error) {
    if (child.pid !== undefined) await endProcess(child.pid, { patienceMs: 5_000 });
    throw error;
  }
}

/** True if this command line is that of a server on this database file, as {@link startDevServer} writes it. */
export const isServerOn = (databaseFile: string, commandLine: string): boolean =>
  commandLine.includes(` server start-dev --db-filename ${databaseFile} --ip `);

/** The ports in such a command line. */
export function portsIn(commandLine: string): { port: number; uiPort: number } {
  const portAfter = (flag: string) => Number(new RegExp(` ${flag} ([0-9]+)`).exec(commandLine)?.[1]);
  return { port: portAfter('--port'), uiPort: portAfter('--ui-port') };
}

function argumentsOf({ databaseFile, port, uiPort, dynamicConfig }: DevServerOptions): string[] {
  return [
    ...['server', 'start-dev'],
    ...(databaseFile === undefined ? [] : ['--db-filename', databaseFile]),
    ...['--ip', host, '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...Object.entries({ ...limits, ...dynamicConfig }).flatMap(([name, value]) => [
      '--dynamic-config-value',
      `${name}=${JSON.stringify(value)}`,
    ]),
    // Both survive the death of the server; the write-ahead log is several times faster than SQLite's default.
    ...(databaseFile === undefined ? [] : pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma])),
  ];
}

const pragmas = ['journal_mode=wal', 'synchronous=normal'];

/** The server's limits are for many users of a large cluster; here one program has it for itself. */
const limits = {
  'frontend.rps': 100_000,
  'frontend.namespaceRPS': 100_000,
  'frontend.namespaceRPS.visibility': 10_000,
  'frontend.namespaceCount': 10_000,
  // With the default of 20 a second for the whole server, each step of an instance waits for up to 50 ms.
  'history.transferProcessorMaxPollRPS': 100,
};

/** Settings for clients, such as an address or a profile, are none of a server's business. */
const withoutTemporal = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_')));

const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${String(code)}` : signal));
  });

const lastLines = (how: string, printed: string): string =>
  [`The Temporal server did not start: ${how}`, ...printed.trim().split('\n').slice(-5)].join('\n  ').trim();
