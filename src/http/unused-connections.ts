import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Once the app closes, how long a request that has begun to arrive has for the rest of its header fields. */
const arrivalMs = 1_000;

/**
 * Ends each connection on which no request is being answered, once the app closes. On close Node ends idle connections
 * only. This ends the others: those that brought nothing or half a request, and those whose answer was being written.
 */
export function closeUnusedConnections(app: FastifyInstance): void {
  const unused = new Set<Socket>();
  let isClosing = false;
  app.server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    unused.delete(socket);
    response.once('close', () => {
      if (isClosing) socket.end();
      else if (!socket.destroyed) unused.add(socket);
    });
  });
  app.addHook('preClose', (done) => {
    isClosing = true;
    const timer = setTimeout(() => {
      for (const socket of unused) socket.destroy();
    }, arrivalMs);
    app.server.once('close', () => clearTimeout(timer));
    done();
  });
}
