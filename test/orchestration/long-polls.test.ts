import { afterEach, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createGateway } from '../../src/orchestration/gateway.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { failure, type Reply, startFakeFrontend } from '../servers/fake-frontend.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** Waits a second for the end of an instance, over a frontend that answers each long poll at once with `reply`. */
async function waitOver(reply: Reply): Promise<{ kind: string; asked: number }> {
  let asked = 0;
  const frontend = await startFakeFrontend({
    GetWorkflowExecutionHistory() {
      asked += 1;
      return reply;
    },
  });
  releases.push(frontend.stop);
  const { connection, close } = createConnection({ settings: { address: frontend.address }, observe: () => undefined });
  releases.push(close);
  const deadlines = { startMs: 5_000, readMs: 5_000, actionMs: 5_000 };
  const gateway = createGateway({ connection, namespace: 'default', deadlines });
  const address = { definition: probesV1, tenant: 'acme', key: 'p-1' };
  const { kind } = await gateway.untilClosed(address, { currentRun: 'r' }, 1_000);
  return { kind, asked };
}

it('a wait does not ask in a loop where somebody on the way ends each long poll at once', async () => {
  expect(await waitOver(failure('DEADLINE_EXCEEDED'))).toEqual({ kind: 'running', asked: 1 });
});

it('a wait does not ask in a loop where each long poll is answered at once without an event', async () => {
  const { kind, asked } = await waitOver(new Uint8Array());
  expect(kind).toBe('running');
  expect(asked).toBeLessThan(15);
  expect(asked).toBeGreaterThan(1);
});
