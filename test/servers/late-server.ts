import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const program = `
  const { createServer } = require('node:http');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer((_, response) => response.writeHead(204).end());
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(workerData, 0, 0);
  });`;

/**
 * An HTTP server on 127.0.0.1 that takes no connection before `accept`: the system drops the first packet of each, and
 * the client sends it again after a second. It answers with a 204.
 */
export async function startLateServer() {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(program, { eval: true, workerData: gate });
  const [port] = (await once(worker, 'message')) as [number];
  const sockets: Socket[] = [];
  // Fills the queue of the system, until a connection hangs.
  for (let isFull = false; !isFull;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const connected = once(socket, 'connect').then(() => true);
    isFull = (await Promise.race([connected, sleep(250)])) === undefined;
    if (isFull) socket.destroy();
    else sockets.push(socket);
  }
  const accept = () => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return {
    port,
    accept,
    async close() {
      accept();
      for (const socket of sockets) socket.destroy();
      await worker.terminate();
    },
  };
}
