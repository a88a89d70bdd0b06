import { randomUUID } from 'node:crypto';
import { openSync } from 'node:fs';
import type { RequestContext } from '../load/requests.ts';
import type { LoadTask } from '../load/task.ts';
import type { ClosedLoop, OpenLoop, Window } from '../load/window.ts';
import { type Deployment, openDeployment } from '../servers/deployment.ts';
import { startPortico } from '../servers/portico.ts';
import { type ServerName, startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { type Child, ownPids, startChild } from './children.ts';

/** Who is measured: the service in a role, or what one would write without it. */
export interface Peer {
  readonly name: PeerName;
  readonly pid: number;
  /** Makes a load of one kind of request. Rejects where an answer is not the expected one. */
  load(kind: string, loop: ClosedLoop | OpenLoop): Promise<Window>;
  /** Starts the keys that `again`, `mismatch` and `read` take. */
  know(keys: number): Promise<void>;
}

export type PeerName = 'api' | 'all' | 'client' | 'native' | 'raw' | 'classic' | 'express';

export interface BenchOptions {
  readonly server: ServerName;
  readonly rounds: number;
  readonly isShort: boolean;
}

export type Bench = Awaited<ReturnType<typeof openBench>>;

const tenant = 'bench';

/** The servers, and peers that are started when a suite first asks for them. */
export async function openBench(options: BenchOptions) {
  const temporal = await startTemporal(options.server);
  const deployment = await openDeployment();
  const generator = await startChild('bench/load/generator.ts', { place: 'rest' });
  const token = await deployment.tokenFor(tenant);
  const peers = new Map<PeerName, Promise<Peer>>();
  const start = starterOf({ temporal, deployment });

  async function open(name: PeerName): Promise<Peer> {
    const { pid, ask } = await start(name, generator);
    const context = { token, prefix: `${name}-${randomUUID().slice(0, 8)}`, knownKeys: 1 };
    const load = (kind: string, loop: ClosedLoop | OpenLoop, of: RequestContext) =>
      ask({ kind, loop, context: of, pids: ownPids() });
    return {
      name,
      pid,
      load: (kind, loop) => load(kind, loop, context),
      async know(keys) {
        context.knownKeys = keys;
        await load('know', { callers: 8, rampMs: 0, windowMs: 60_000, maxRequests: keys }, context);
      },
    };
  }

  return {
    ...options,
    temporal,
    deployment,
    token,
    tenant,
    generator,
    /** One process of its own for each name. */
    peer(name: PeerName): Promise<Peer> {
      const peer = peers.get(name) ?? open(name);
      peers.set(name, peer);
      return peer;
    },
    async close(): Promise<void> {
      await temporal.close();
      await deployment.close();
    },
  };
}

type Ask = (task: LoadTask) => Promise<Window>;

/** How each peer is started, and how a load is made on it. */
function starterOf({ temporal, deployment }: { temporal: TemporalServer; deployment: Deployment }) {
  const place = 'service';
  return async (name: PeerName, generator: Child): Promise<{ pid: number; ask: Ask }> => {
    const over =
      (url: string): Ask =>
      async (task) =>
        (await generator.ask({ ...task, url })) as Window;
    switch (name) {
      case 'api':
      case 'all': {
        const { pid, url } = await startPortico({
          ...{ folder: deployment.folder, place },
          environment: { ...deployment.environment, ROLE: name, TEMPORAL_ADDRESS: temporal.address },
        });
        return { pid, ask: over(url) };
      }
      case 'client':
      case 'native':
      case 'raw': {
        const child = await startChild('bench/peers/direct.ts', { place, args: [name, temporal.address] });
        return { pid: child.pid, ask: async (task) => (await child.ask(task)) as Window };
      }
      case 'classic':
      case 'express': {
        const args = [temporal.address, deployment.publicKeyFile];
        const log = openSync(`${deployment.folder}/${name}.log`, 'a');
        const child = await startChild(`bench/peers/${name}.ts`, { place, args, output: log });
        return { pid: child.pid, ask: over((child.hello as { readonly url: string }).url) };
      }
    }
  };
}
