/**
 * The thread of the embedded database: PGlite behind a unix socket, so that the engine's work never holds up the main
 * thread's event loop. Tells its parent `ready`; ends after the message `close`, or with an error when the engine fails.
 */
import { createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { z } from 'zod';
import { readMessages } from './wire-messages.ts';

const { dataFolder, socketPath } = z.object({ dataFolder: z.string(), socketPath: z.string() }).parse(workerData);

const engine = await PGlite.create({ dataDir: dataFolder });
const sockets = new Set<Socket>();
let turn = Promise.resolve();

const server = createServer((socket) => {
  // What happens to a socket is seen where it is read.
  socket.on('error', () => undefined);
  sockets.add(socket.once('close', () => sockets.delete(socket)));
  // There is one session in the engine: clients have it one after the other, each from a clean state.
  turn = turn.then(() => serve(socket)).then(cleanSession);
});
server.listen(socketPath, () => parentPort?.postMessage('ready'));

parentPort?.once('message', () => {
  server.close();
  for (const socket of sockets) socket.destroy();
  turn = turn.then(async () => {
    await engine.close();
    parentPort?.close();
  });
});

async function serve(socket: Socket): Promise<void> {
  for await (const message of readMessages(socket)) {
    await engine.execProtocolRawStream(message, { onRawData: (data) => socket.write(Buffer.from(data)) });
  }
  socket.destroy();
}

/** A client may have gone in the middle of anything, even between a failed message and its Sync. */
async function cleanSession(): Promise<void> {
  await engine.exec('rollback');
  await engine.exec('discard all');
}
