import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideTemporalCli } from '../../local/temporal/cli.ts';
import { startDevServer } from '../../local/temporal/dev-server.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { pin, startChild, watchProcess } from '../method/children.ts';
import { startCluster } from './cluster.ts';

export type ServerName = 'fake' | 'dev' | 'cluster';

/** What answers as Temporal. */
export interface TemporalServer {
  readonly name: ServerName;
  readonly address: string;
  /** Its own process and its own HTTP API; undefined where it has none. */
  readonly own?: { readonly pid: number; readonly url: string };
  /** How many calls of each method came so far; undefined where the server does not count. */
  readonly counted?: () => Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** Starts a server on this machine that ends with this process. */
export const startTemporal = (name: ServerName): Promise<TemporalServer> =>
  ({ fake: startFake, dev: startDev, cluster: startCluster })[name]();

async function startFake(): Promise<TemporalServer> {
  const child = await startChild('bench/servers/fake-frontend.ts', { place: 'rest' });
  const { address, adminUrl } = child.hello as { readonly address: string; readonly adminUrl: string };
  return {
    name: 'fake',
    address,
    async counted() {
      const response = await fetch(adminUrl);
      return (await response.json()) as Record<string, number>;
    },
    close: child.stop,
  };
}

/** In memory: a disk would be what is measured. */
async function startDev(): Promise<TemporalServer> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-temporal-'));
  const cliPath = await provideTemporalCli({ environment: process.env, log: console.error });
  const [port, httpPort] = [await freePort(), await freePort()];
  const server = await startDevServer({ cliPath, port, httpPort, logFile: join(folder, 'server.log') });
  pin(server.pid, 'rest');
  watchProcess(server.pid);
  return {
    name: 'dev',
    address: server.address,
    own: { pid: server.pid, url: `http://127.0.0.1:${httpPort}` },
    async close() {
      await server.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
