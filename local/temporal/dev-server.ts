import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchAttributes } from '../../src/orchestration/search-attributes.ts';
import { startOnLeash } from '../leash.ts';
import { StartError } from '../start-error.ts';
import { clusterIdAt } from './probe.ts';

export interface DevServerOptions {
  readonly cliPath: string;
  /** Where its state is kept. Not given: in memory. No two servers may have the same file: they corrupt it. */
  readonly databaseFile?: string;
  readonly port: number;
  /** Where it offers its own HTTP API. Not given: on a free port. */
  readonly httpPort?: number;
  /** Not given: no Web UI. */
  readonly uiPort?: number;
  /** Dynamic configuration of Temporal, over what every server here has. */
  readonly dynamicConfig?: Readonly<Record<string, string | number | boolean>>;
  /** What the server prints is appended here. */
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
  /** Called once the process is there, before it serves. */
  readonly onSpawn?: (pid: number) => void;
}

export interface DevServer {
  readonly pid: number;
  readonly address: string;
  readonly clusterId: string;
  /** Resolves with a few words on how it ended. */
  readonly ended: Promise<string>;
  /** Lets it end by itself for ten seconds, then kills it. */
  end(): Promise<void>;
}

/** The server ended before it served; `message` holds its last lines. */
export class DevServerError extends StartError {}

export const host = '127.0.0.1';

const startLimitMs = 180_000;
const answerLimitMs = 5_000;
const endPatienceMs = 10_000;

/**
 * Starts a Temporal development server that does not outlive this process, and that ctrl-C does not reach. Resolves once
 * it serves and knows the search attributes. Throws {@link DevServerError} if it ends first, which it does where a port
 * is taken, or takes longer than three minutes.
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const log = openSync(options.logFile, 'a', 0o600);
  const before = readFileSync(options.logFile).length;
  const server = await startOnLeash({
    program: options.cliPath,
    args: argumentsOf(options),
    environment: withoutTemporal(process.env),
    output: log,
    patienceMs: endPatienceMs,
  }).finally(() => closeSync(log));
  const printed = () => readFileSync(options.logFile).subarray(before).toString();
  const address = `${host}:${options.port}`;
  const state = { ended: '' };
  void server.ended.then((how) => (state.ended = how));

  const startedAt = Date.now();
  try {
    options.onSpawn?.(server.pid);
    for (;;) {
      const clusterId = await clusterIdAt(address, { timeoutMs: answerLimitMs });
      options.signal?.throwIfAborted();
      if (state.ended !== '') throw new DevServerError(lastLines(state.ended, printed()));
      // Another server on the port answers as well. Only our own says in our own log that it took the port.
      if (clusterId !== undefined && new RegExp(`server.*:${options.port}\\s*$`, 'im').test(printed())) {
        return { ...server, address, clusterId };
      }
      if (Date.now() - startedAt > startLimitMs) {
        throw new DevServerError(lastLines(`it did not serve within ${startLimitMs / 1_000} s`, printed()));
      }
      await sleep(30);
    }
  } catch (error) {
    await server.end();
    throw error;
  }
}

function argumentsOf({ databaseFile, port, httpPort, uiPort, dynamicConfig }: DevServerOptions): string[] {
  return [
    ...['server', 'start-dev'],
    ...(databaseFile === undefined ? [] : ['--db-filename', databaseFile]),
    ...['--ip', host, '--port', String(port)],
    ...(httpPort === undefined ? [] : ['--http-port', String(httpPort)]),
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
export const limits = {
  'frontend.rps': 100_000,
  'frontend.namespaceRPS': 100_000,
  'frontend.namespaceRPS.visibility': 10_000,
  'frontend.namespaceCount': 10_000,
  // With the default of 20 a second for the whole server, each step of an instance waits for up to 50 ms.
  'history.transferProcessorMaxPollRPS': 100,
  // An activity comes with the answer to the workflow task that orders it. Servers from 1.32 on do so by themselves.
  'system.enableActivityEagerExecution': true,
};

/** Settings for clients, such as an address or a profile, are none of a server's business. */
const withoutTemporal = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_')));

const lastLines = (how: string, printed: string): string =>
  [`The Temporal server did not start: ${how}`, ...printed.trim().split('\n').slice(-5)].join('\n  ').trim();
