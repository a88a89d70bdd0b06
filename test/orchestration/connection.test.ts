import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { temporalAddress } from '../servers/temporal.ts';

const toNowhere = () => createConnection({ settings: { address: '127.0.0.1:1' }, observe: () => undefined });

// What is thrown in a timer would end the process; here vitest reports it.
it('closes while calls are waiting for their next attempt, and leaves nothing behind that throws', async () => {
  const waits = [0, 30, 60, 90, 120, 150, 200, 250, 300, 400];
  const outcomes = await Promise.all(
    waits.map(async (waitMs) => {
      const { connection, close } = toNowhere();
      const calls = [0, 20, 40].map((delayMs) =>
        sleep(delayMs).then(() => connection.within({ deadlineMs: 20_000 }).workflowService.getSystemInfo({})),
      );
      const settled = Promise.allSettled(calls);
      await sleep(waitMs + 45);
      const startedAtMs = performance.now();
      await close();
      return { closingMs: performance.now() - startedAtMs, calls: await settled };
    }),
  );
  expect(outcomes.flatMap(({ calls }) => calls).filter(({ status }) => status === 'fulfilled')).toEqual([]);
  for (const { closingMs } of outcomes) expect(closingMs).toBeLessThan(10_000);
  // The last retry would have come due by now.
  await sleep(500);
});

it('comes up over a network on which that takes longer than the probes for silence wait', async () => {
  const [host = '', serverPort = ''] = temporalAddress().split(':');
  const sockets: Socket[] = [];
  const pass = (client: Socket) => {
    const server = connect(Number(serverPort), host).on('error', () => undefined);
    sockets.push(server);
    client.pipe(server).pipe(client);
  };
  const slow = createServer((client) => {
    sockets.push(client.on('error', () => undefined));
    setTimeout(pass, 3_500, client);
  });
  const port = await freePort();
  await once(slow.listen(port, '127.0.0.1'), 'listening');
  const { connection, close } = createConnection({
    settings: { address: `127.0.0.1:${port}` },
    observe: () => undefined,
  });
  try {
    const answer = () => connection.within({ deadlineMs: 2_000 }).workflowService.getSystemInfo({});
    await expect
      .poll(
        () =>
          answer().then(
            () => true,
            () => false,
          ),
        { timeout: 90_000 },
      )
      .toBe(true);
  } finally {
    await close();
    for (const socket of sockets) socket.destroy();
    slow.close();
  }
});
