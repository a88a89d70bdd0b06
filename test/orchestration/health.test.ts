import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import { afterEach, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { type Health, healthOf, watchHealth } from '../../src/orchestration/health.ts';
import { methods } from '../../src/orchestration/methods.ts';
import { failure, inTurn, type Reply, startFakeFrontend } from '../servers/fake-frontend.ts';
import { respond, startHttp2Server } from '../servers/http2-server.ts';

const serving = Buffer.from([8, 1]);
const notServing = Buffer.from([8, 2]);
const never = new Promise<Uint8Array>(() => undefined);

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function frontendThat(health: () => Reply): Promise<string> {
  const frontend = await startFakeFrontend({}, health);
  releases.push(frontend.stop);
  return frontend.address;
}

async function connectNative(address: string) {
  const connection = await NativeConnection.connect({ address });
  releases.push(() => connection.close());
  return connection;
}

function connectPlain(address: string) {
  const { connection, health, close } = createConnection({
    settings: { address, tls: false },
    observe: () => undefined,
  });
  // Only the test asks.
  health.stop();
  releases.push(close);
  return connection;
}

describe.each([
  ['a plain connection', connectPlain],
  ['a native connection', connectNative],
])('%s', (_name, connect) => {
  it.each<[string, Reply, Health]>([
    ['healthy where the frontend serves', serving, 'healthy'],
    ['unhealthy where the frontend says that it does not serve', notServing, 'unhealthy'],
    ['unhealthy where it answers with an error', failure('PERMISSION_DENIED'), 'unhealthy'],
    ['silent where nothing comes back', never, 'silent'],
  ])('is %s', async (_case, reply, health) => {
    const connection = await connect(await frontendThat(() => reply));
    expect(await healthOf(connection)).toBe(health);
  });
});

describe('a connection on which the server allows no further request', () => {
  it('is not silent, and healthy once there is room', async () => {
    let respondFirst = (): void => undefined;
    const server = await startHttp2Server(
      ({ stream, headers }) => {
        const answer = () => respond(stream, serving);
        if (String(headers[':path']).endsWith('/Check')) answer();
        else respondFirst = answer;
      },
      // What the client opens beside the first connection finds no room either.
      { settings: { maxConcurrentStreams: 1 } },
    );
    releases.push(server.stop);
    const connection = connectPlain(`127.0.0.1:${server.port}`);
    const held = Array.from({ length: 8 }, () =>
      connection.call(methods.describeWorkflow, {}, { deadlineMs: 20_000 }).catch(() => undefined),
    );
    await expect.poll(() => connection.isFull()).toBe(true);
    expect(await healthOf(connection)).toBe('unhealthy');
    respondFirst();
    await Promise.race(held);
    expect(await healthOf(connection)).toBe('healthy');
  });
});

describe('a process that stands still for longer than an answer may take', () => {
  it('does not take that for silence', async () => {
    const connection = connectPlain(await frontendThat(() => serving));
    expect(await healthOf(connection)).toBe('healthy');
    for (let round = 0; round < 3; round += 1) {
      const health = healthOf(connection);
      // Until the question has gone out.
      await sleep(0);
      const endsAtMs = performance.now() + 1_300;
      while (performance.now() < endsAtMs);
      expect(await health).toBe('healthy');
    }
  });
});

describe('a watch', () => {
  async function watch(...replies: [Reply, ...Reply[]]) {
    const turns = inTurn(...replies);
    const watched = watchHealth(await connectNative(await frontendThat(turns.next)));
    releases.push(watched.stop);
    const seen: Health[] = [];
    watched.onAnswer((health) => seen.push(health));
    return { watched, seen, count: turns.count };
  }

  it('tells each answer in its order, and asks once for each', async () => {
    const { seen, count } = await watch(serving, never, failure('PERMISSION_DENIED'), serving);
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(4);
    expect(seen).toEqual(['healthy', 'silent', 'unhealthy', 'healthy']);
    expect(count()).toBe(4);
  });

  it('says what is missing until Temporal serves', async () => {
    const { watched, seen } = await watch(failure('PERMISSION_DENIED', 'who are you'), notServing, serving);
    expect(watched.check).toThrow('was not asked');
    await expect.poll(() => seen.length).toBe(1);
    expect(watched.check).toThrow('who are you');
    await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(2);
    expect(watched.check).toThrow('does not serve');
    await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(3);
    expect(watched.check).not.toThrow();
  });

  it('tells a late reader the last answer, and nobody who has left or after the stop', async () => {
    const { watched, seen, count } = await watch(serving);
    await expect.poll(() => seen.length).toBe(1);
    const late: Health[] = [];
    const leave = watched.onAnswer((health) => late.push(health));
    expect(late).toEqual(['healthy']);
    leave();
    await watched.ask();
    expect([seen.length, late.length]).toEqual([2, 1]);
    watched.stop();
    const asked = count();
    await sleep(1_500);
    expect([seen.length, count()]).toEqual([2, asked]);
  });
});
