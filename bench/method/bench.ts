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
  /** Begins every key that it starts. */
  readonly prefix: string;
  /** Where it serves HTTP; empty where it does not. */
  readonly url: string;
  /** Calls to Temporal so far, of the kinds that requests make: by this peer or, where the server counts, by all. */
  countRpcs(): Promise<number>;
  /** Makes a load of one kind of request. Rejects where an answer is not the expected one. */
  load(kind: LoadTask['kind'], loop: ClosedLoop | OpenLoop): Promise<Window>;
  /** Ends it; whoever asks for it again gets a new one. */
  stop(): Promise<void>;
  /** Starts the keys that `again`, `mismatch` and `read` take. */
  know(keys: number): Promise<void>;
}

/** A server with so many of the layers of a start. */
export type Layer = `layer-${0 | 1 | 2 | 3 | 4 | 5}`;

export type PeerName =
  | 'api'
  | 'all'
  | 'at-once'
  | 'api-at-once'
  | 'elsewhere'
  | 'limited'
  | 'key-set'
  | 'large'
  | 'tasks'
  | 'deliveries'
  | Layer
  | 'own'
  | 'client'
  | 'native'
  | 'raw'
  | 'classic'
  | 'express';

export interface BenchOptions {
  readonly server: ServerName;
  readonly rounds: number;
  readonly isShort: boolean;
  /** Of the sizes that goals name, from 0 to 1: instances, events, entries, pages. */
  readonly scale: number;
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
    const { pid, ask, url = '', adminUrl, stop } = await start(name, generator);
    // Another process meets the instances of the first.
    const prefix = (name === 'elsewhere' && (await peers.get('api'))?.prefix) || `${name}-${randomUUID().slice(0, 8)}`;
    const context = { token, prefix, knownKeys: 1 };
    const load = (kind: LoadTask['kind'], loop: ClosedLoop | OpenLoop, of: RequestContext) =>
      ask({ kind, loop, context: of, pids: ownPids() });
    return {
      ...{ name, pid, url, prefix: context.prefix },
      async stop() {
        peers.delete(name);
        await stop();
      },
      async countRpcs() {
        // A server that counts is the better witness.
        const counts = await (temporal.counted?.() ?? countedAt(adminUrl ?? ''));
        return Object.entries(counts).reduce((sum, [method, count]) => sum + (isOfRequest(method) ? count : 0), 0);
      },
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
      await generator.stop();
      for (const peer of [...peers.values()]) await peer.then(({ stop }) => stop()).catch(() => undefined);
      await temporal.close();
      await deployment.close();
    },
  };
}

/** Health checks, gauges and polls of workers are no part of a request. */
const isOfRequest = (method: string): boolean =>
  /^(Start|Describe|Update|Signal|Query|GetWorkflow|PollWorkflowExecutionUpdate)/.test(method) &&
  method !== 'DescribeNamespace';

/** As the service itself counts them. */
async function countedAt(adminUrl: string): Promise<Readonly<Record<string, number>>> {
  const metrics = await (await fetch(new URL('/metrics', adminUrl))).text();
  const counts: Record<string, number> = {};
  const lines = metrics.matchAll(
    /^portico_temporal_request_duration_seconds_count\{.*method="([A-Za-z]+)".*\} (\d+)$/gm,
  );
  for (const [, method = '', count] of lines) counts[method] = (counts[method] ?? 0) + Number(count);
  return counts;
}

type Ask = (task: LoadTask) => Promise<Window>;

interface Started {
  readonly pid: number;
  readonly ask: Ask;
  readonly url?: string;
  readonly adminUrl?: string;
  readonly stop: () => Promise<void>;
}

/** Beside those that all processes of the service have. */
const settingsOf = {
  api: { ROLE: 'api' },
  all: { ROLE: 'all' },
  /** All new transfers take the way of one commit. */
  'at-once': { ROLE: 'all', PORTICO_TRANSFERS_AT_ONCE_SHARE: '1' },
  'api-at-once': { ROLE: 'api', PORTICO_TRANSFERS_AT_ONCE_SHARE: '1' },
  /** A second process like `api`. */
  elsewhere: { ROLE: 'api' },
  /** Fetches the issuer's keys. */
  'key-set': { ROLE: 'api' },
  large: { ROLE: 'api' },
  /** Refuses nearly all starts. */
  limited: { ROLE: 'api', PORTICO_RATE_LIMIT_STARTS: '1' },
  /** Takes as many delayed tasks as a run creates. */
  tasks: { ROLE: 'api', PORTICO_DELAYED_TASKS_MAX_OPEN: '10000000' },
} as const satisfies Partial<Record<PeerName, Readonly<Record<string, string>>>>;

/** How each peer is started, and how a load is made on it. */
function starterOf({ temporal, deployment }: { temporal: TemporalServer; deployment: Deployment }) {
  const place = 'service';
  return async (name: PeerName, generator: Child): Promise<Started> => {
    const over =
      (url: string): Ask =>
      async (task) =>
        (await generator.ask({ ...task, url })) as Window;
    switch (name) {
      case 'api':
      case 'all':
      case 'at-once':
      case 'api-at-once':
      case 'elsewhere':
      case 'limited':
      case 'key-set':
      case 'tasks':
      case 'large': {
        const environment = name === 'key-set' ? deployment.environmentWithKeySet : deployment.environment;
        const portico = await startPortico({
          ...{ folder: deployment.folder, place },
          ...(name === 'large' ? { program: 'bench/peers/large-bodies.ts' } : {}),
          environment: { ...environment, TEMPORAL_ADDRESS: temporal.address, ...settingsOf[name] },
        });
        return { ...portico, ask: over(portico.url) };
      }
      case 'client':
      case 'native':
      case 'raw': {
        const child = await startChild('bench/peers/direct.ts', { place, args: [name, temporal.address] });
        return { pid: child.pid, stop: child.stop, ask: async (task) => (await child.ask(task)) as Window };
      }
      case 'deliveries': {
        const receiver = await startChild('bench/servers/webhook-receiver.ts', { place: 'rest' });
        const { port, nameServer } = receiver.hello as { readonly port: number; readonly nameServer: string };
        const args = [String(port), nameServer, deployment.databaseUrl];
        const child = await startChild('bench/peers/deliveries.ts', { place, args });
        const stop = () => child.stop().then(receiver.stop);
        return { pid: child.pid, stop, ask: async (task) => (await child.ask(task)) as Window };
      }
      case 'own': {
        if (temporal.own === undefined) throw new Error(`the ${temporal.name} server has no HTTP API`);
        const { pid, url } = temporal.own;
        const ask = over(url);
        return { pid, stop: () => Promise.resolve(), ask: (task) => ask({ ...task, kind: 'own' }) };
      }
      default: {
        const [file, layers = ''] = name.split('-');
        const args = [temporal.address, deployment.publicKeyFile, layers];
        const log = openSync(`${deployment.folder}/${name}.log`, 'a');
        const child = await startChild(`bench/peers/${file}.ts`, { place, args, output: log });
        return { pid: child.pid, stop: child.stop, ask: over((child.hello as { readonly url: string }).url) };
      }
    }
  };
}
