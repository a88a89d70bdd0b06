import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createOutbox } from '../../../src/orchestration/transport/outbox.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** A socket to a peer, and the count of bytes that the peer got. */
async function connected(): Promise<{ socket: Socket; arrived: () => number }> {
  let count = 0;
  const server = createServer((peer) => peer.on('data', (bytes) => (count += bytes.length)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  releases.push(() => new Promise((resolve) => server.close(resolve)));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  releases.push(() => socket.destroy());
  await once(socket, 'connect');
  return { socket, arrived: () => count };
}

const frame = Buffer.alloc(10);

it('holds few frames until the turn ends, and lets more of them go at once', async () => {
  const { socket, arrived } = await connected();
  const outbox = createOutbox(socket);
  for (let each = 0; each < 3; each += 1) outbox.push(frame);
  expect(socket.bytesWritten).toBe(0);
  outbox.push(frame);
  expect(socket.bytesWritten).toBe(40);
  outbox.push(frame);
  expect(socket.bytesWritten).toBe(40);
  await expect.poll(arrived).toBe(50);
});
