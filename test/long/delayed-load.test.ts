import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
  let bad: Awaited<ReturnType<typeof startReceiver>>;
  beforeAll(async () => {
    [deployment, temporal, good, bad] = await Promise.all([
      createDeployment(),
      startTemporalServer(),
      startReceiver(),
      startReceiver(),
    ]);
    caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('load') });
    const environment = {
      ...deployment.environment,
      TEMPORAL_ADDRESS: temporal.address,
      PORTICO_WEBHOOKS_SCHEMES: 'http',
      PORTICO_WEBHOOKS_PORTS: '1-65535',
      PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.0/8',
      PORTICO_RATE_LIMIT_STARTS: '0',
      PORTICO_RATE_LIMIT_ACTIONS: '0',
      PORTICO_RATE_LIMIT_READS: '0',
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

  /** Creates a task for each address, due at `at`, and gives their ids in that order. */
  async function create(addresses: readonly string[], at: Date): Promise<string[]> {
    const created = addresses.map((address) => ({ address, key: unique('task') }));
    await inParallel(callers, created, async ({ address, key }) => {
      const body = { at: at.toISOString(), deliver: { webhook: { url: address } }, payload: {} };
      const { status } = await caller.at(url).post('/v1/delayed-tasks', body, { headers: { 'idempotency-key': key } });
      expect(status).toBe(202);
    });
    return created.map(({ key }) => key);
  }

  /** When all of these will have been created, also on a machine that does other things. */
  function dueAfter(count: number, eachMs: number): Date {
    return new Date(Math.ceil((Date.now() + 1.5 * count * eachMs + 5_000) / 1_000) * 1_000);
  }

  /** The lateness of those deliveries of a round that need not hang, in milliseconds, in order. */
  async function round(addresses: readonly string[], expected: number, eachMs: number) {
    const at = dueAfter(addresses.length, eachMs);
    const ids = await create(addresses, at);
    expect(Date.now()).toBeLessThan(at.getTime());
    const arrived = () => good.arrivals.filter(({ dueAt }) => dueAt === at.toISOString());
    // They wait until they are due first.
    const withinMs = at.getTime() - Date.now() + roundMs;
    await until(arrived, (found) => new Set(found.map(({ id }) => id)).size === expected, { withinMs });
    const lateness = arrived().map(({ atMs }) => atMs - at.getTime());
    return { ids, lateness: lateness.sort((a, b) => a - b) };
  }

  it(`are all delivered, and ${hanging} receivers that hang at most double the lateness of the others`, async () => {
    const addresses = Array.from({ length: tasks }, (_, index) => goodUrl(index));
    const startedAt = performance.now();
    await create(addresses.slice(0, 200), new Date());
    const eachMs = (performance.now() - startedAt) / 200;
    const alone = percentile95((await round(addresses, tasks, eachMs)).lateness);
    console.log(`p95 lateness: ${alone} ms alone`);

    bad.isHanging = true;
    const isBad = (index: number) => index % (tasks / hanging) === 0;
    const mixed = addresses.map((address, index) => (isBad(index) ? badUrl(index / (tasks / hanging)) : address));
    const { ids, lateness } = await round(mixed, tasks - hanging, eachMs);
    const beside = percentile95(lateness);
    console.log(`p95 lateness: ${beside} ms where ${hanging} of ${tasks} hang; ${eachMs.toFixed(1)} ms a creation`);
    await until(bad.addresses, (asked) => asked === hanging, { withinMs: roundMs });

    bad.isHanging = false;
    const left = ids.filter((_, index) => isBad(index));
    await inParallel(callers, left, async (id) => {
      const delivered = () => caller.at(url).get(`/v1/delayed-tasks/${id}`);
      const run = () =>
        caller.at(url).post(`/v1/delayed-tasks/${id}/run-now`, {}, { headers: { 'idempotency-key': unique('now') } });
      // An attempt that hangs still is in the way.
      await until(run, ({ body }) => body.code !== 'action-not-allowed', { withinMs: roundMs });
      const { body } = await until(delivered, ({ body }) => body.status !== 'running', { withinMs: roundMs });
      expect(body.outcome).toBe('delivered');
    });
    expect(beside).toBeLessThanOrEqual(2 * alone);
  }, 1_200_000);
});

const percentile95 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN;

/** Takes requests on every address of this machine. While it hangs it answers none, also later; else 204, and notes it. */
async function startReceiver() {
  const arrivals: { id: string; dueAt: string; atMs: number }[] = [];
  const addresses = new Set<string>();
  const server = createServer((request, response) => {
    const atMs = Date.now();
    addresses.add(request.socket.localAddress ?? '');
    if (receiver.isHanging) return;
    void json(request).then((body) => {
      const { id, dueAt } = body as { id: string; dueAt: string };
      arrivals.push({ id, dueAt, atMs });
      response.writeHead(204).end();
    });
  });
  await once(server.listen(0, '0.0.0.0'), 'listening');
  const receiver = {
    port: (server.address() as AddressInfo).port,
    arrivals,
    isHanging: false,
    /** How many of its addresses were asked. */
    addresses: () => Promise.resolve(addresses.size),
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
