import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { findTemporalCli } from '../../local/temporal/cli.ts';
import {
  type DevServer,
  DevServerError,
  type DevServerOptions,
  startDevServer,
} from '../../local/temporal/dev-server.ts';
import { watchInterrupted } from '../../local/temporal/interrupted.ts';
import { isInterruptedAt } from '../../local/temporal/probe.ts';
import { freePort } from '../../src/worker/free-port.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Host and port of the server of the whole run; empty where no Temporal program was found. */
    temporalAddress: string;
  }
}

/** The in-memory Temporal server that all tests of a run share: take ids, tenants and task queues of your own. */
export function temporalAddress(): string {
  const address = inject('temporalAddress');
  if (address === '') throw new Error('There is no Temporal program here: `npm test` installs one.');
  return address;
}

/** A Temporal server of one test's own, to be killed or stopped at will. It ends with the test run at the latest. */
export interface TestTemporalServer {
  readonly address: string;
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: () => number;
  /** The last lines that it printed. */
  readonly lastLines: (count: number) => string;
  /** Ends it without warning. */
  readonly kill: () => Promise<void>;
  /** Lets it end by itself, and removes what it left behind, except a database file that was given. */
  readonly stop: () => Promise<void>;
  /** Starts it again on the same port after {@link kill}; with a database file it remembers. */
  readonly restart: () => Promise<void>;
}

/** Starts a server in memory or on a file, on a free port unless one is given. */
export async function startTemporalServer(
  options: { readonly databaseFile?: string; readonly port?: number } = {},
): Promise<TestTemporalServer> {
  const cliPath = findTemporalCli({ environment: process.env, log: () => undefined });
  if (cliPath === undefined) throw new Error('There is no Temporal program here: `npm test` installs one.');
  const folder = mkdtempSync(join(tmpdir(), 'portico-temporal-'));
  const settings = { ...options, cliPath, logFile: join(folder, 'server.log'), dynamicConfig };
  let server = await begin(settings);
  const { address } = server;
  const port = Number(address.split(':')[1]);
  const watch =
    options.databaseFile === undefined
      ? undefined
      : watchInterrupted({
          isInterrupted: () => isInterruptedAt(address, { timeoutMs: 5_000 }),
          async replace() {
            console.warn(`the Temporal server at ${address} was interrupted, and is started again`);
            await server.end();
            server = await begin({ ...settings, port });
          },
          onFailure: (error) => console.error(error),
        });
  return {
    address,
    port,
    pid: () => server.pid,
    lastLines: (count) => readFileSync(settings.logFile, 'utf8').trim().split('\n').slice(-count).join('\n'),
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.ended;
    },
    stop: async () => {
      await watch?.stop();
      await server.end();
      rmSync(folder, { recursive: true, force: true });
    },
    restart: async () => {
      server = await begin({ ...settings, port });
    },
  };
}

/** An instance can be deleted once the server has ticked off its end, which it does twice a minute unless told otherwise. */
const dynamicConfig = {
  'history.transferProcessorUpdateAckInterval': '200ms',
  'history.visibilityProcessorUpdateAckInterval': '200ms',
};

async function begin(settings: Omit<DevServerOptions, 'port'> & { readonly port?: number }): Promise<DevServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startDevServer({ ...settings, port: settings.port ?? (await freePort()) });
    } catch (error) {
      // A free port can be lost to another test before the server takes it.
      if (!(error instanceof DevServerError) || settings.port !== undefined || attempt === 3) throw error;
    }
  }
}
