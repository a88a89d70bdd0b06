import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const tasks = 2_000;
const hanging = 500;
const receivers = 20;
const callers = 16;
/** Generous: a slow machine is no failure. */
const roundMs = 300_000;

describe.skipIf(postgresSkipReason() !== undefined)('two thousand tasks that are due in the same second', () => {
  let deployment: Deployment;
  let temporal: TestTemporalServer;
  let caller: Caller;
  let url: string;
  let good: Awaited<ReturnType<typeof startReceiver>>;
  let bad: Awaited<ReturnType<typeof startHangingReceiver>>;
  beforeAll(async () => {
    [deployment, temporal, good, bad] = await Promise.all([
      createDeployment(),
      startTemporalServer(),
      startReceiver(),
      startHangingReceiver(),
    ]);
    caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('load') });
    const environment = {
      ...deployment.environment,
      TEMPORAL_ADDRESS: temporal.address,
      PORTICO_WEBHOOKS_SCHEMES: 'http',
      PORTICO_WEBHOOKS_PORTS: '1-65535',
      PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.0/8',
      PORTICO_RATE_LIMIT_STARTS: '0',
      PORTICO_RATE_LIMIT_ADDRESS: '0',
      PORTICO_START_DEADLINE: '25s',
      PORTICO_READ_DEADLINE: '25s',
    };
    const worker = startProgram('main', { ...environment, ROLE: 'worker' });
    const api = startProgram('main', { ...environment, ROLE: 'api' });
    await worker.ready();
    ({ url } = await api.ready());
  });
  afterAll(async () => {
    await endPrograms();
    await Promise.all([good.close(), bad.close(), temporal.stop(), deployment.close()]);
  });

  /** Receivers of one server are told apart by their addresses: each is another origin. */
  const goodUrl = (index: number) => `http://127.0.1.${1 + (index % receivers)}:${good.port}/`;
  const badUrl = (index: number) => `http://127.1.${Math.floor(index / 250)}.${1 + (index % 250)}:${bad.port}/`;

  /** Creates a task for each address, due at `at`, and answers how long that took. */
  async function create(addresses: readonly string[], at: Date): Promise<number> {
    const startedAt = performance.now();
    await inParallel(callers, addresses, async (address) => {
      const headers = { 'idempotency-key': unique('task') };
      const body = { at: at.toISOString(), deliver: { webhook: { url: address } }, payload: {} };
      const { status } = await caller.at(url).post('/v1/delayed-tasks', body, { headers });
      expect(status).toBe(202);
    });
    return performance.now() - startedAt;
  }

  /** When all of these will have been created, also on a machine that does other things. */
  function dueAfter(count: number, eachMs: number): Date {
    return new Date(Math.ceil((Date.now() + 1.5 * count * eachMs + 5_000) / 1_000) * 1_000);
  }

  /** The lateness of the good deliveries of a round, in milliseconds, in order. */
  async function round(addresses: readonly string[], eachMs: number): Promise<number[]> {
    const at = dueAfter(addresses.length, eachMs);
    await create(addresses, at);
    expect(Date.now()).toBeLessThan(at.getTime());
    const arrived = () => good.arrivals.filter(({ dueAt }) => dueAt === at.toISOString());
    // They wait until they are due first.
    const withinMs = at.getTime() - Date.now() + roundMs;
    await until(arrived, (found) => new Set(found.map(({ id }) => id)).size === tasks, { withinMs });
    return arrived()
      .map(({ atMs }) => atMs - at.getTime())
      .sort((a, b) => a - b);
  }

  it(`are all delivered, and ${hanging} receivers that hang at most double the lateness of the others`, async () => {
    const addresses = Array.from({ length: tasks }, (_, index) => goodUrl(index));
    const eachMs = (await create(addresses.slice(0, 200), new Date())) / 200;
    const alone = await round(addresses, eachMs);
    console.log(`p95 lateness: ${percentile95(alone)} ms alone`);
    const hangingAddresses = Array.from({ length: hanging }, (_, index) => badUrl(index));
    // Each fifth one hangs.
    const mixed = hangingAddresses.flatMap((address, index) => [address, ...addresses.slice(4 * index, 4 * index + 4)]);
    const beside = await round(mixed, eachMs);
    const [p95Alone, p95Beside] = [percentile95(alone), percentile95(beside)];
    console.log(
      `p95 lateness: ${p95Alone} ms alone, ${p95Beside} ms beside ${hanging} receivers that hang; ${eachMs.toFixed(1)} ms a creation`,
    );
    expect(bad.receivers()).toBe(hanging);
    expect(p95Beside).toBeLessThanOrEqual(2 * p95Alone);
  }, 900_000);
});

const percentile95 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN;

/** Answers 204 at once on every address of this machine, and notes what came when. */
async function startReceiver() {
  const arrivals: { id: string; dueAt: string; atMs: number }[] = [];
  const server = createHttpServer((request, response) => {
    const atMs = Date.now();
    void json(request).then((body) => {
      const { id, dueAt } = body as { id: string; dueAt: string };
      arrivals.push({ id, dueAt, atMs });
      response.writeHead(204).end();
    });
  });
  const port = await listening(server);
  return {
    port,
    arrivals,
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Takes connections on every address of this machine, and never answers. */
async function startHangingReceiver() {
  const sockets = new Set<Socket>();
  const addresses = new Set<string>();
  const server = createServer((socket) => {
    sockets.add(socket);
    addresses.add(socket.localAddress ?? '');
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  const port = await listening(server);
  return {
    port,
    /** How many of its addresses were asked. */
    receivers: () => addresses.size,
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '0.0.0.0'), 'listening');
  return (server.address() as AddressInfo).port;
}
