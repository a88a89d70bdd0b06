import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** How long a request that has begun to arrive has for the rest of its header fields once the app closes. */
const arrivalMs = 1_000;

/**
 * Ends, once the app closes, each connection on which no request is being answered. Node does so at that moment for
 * those that have had an answer; left to it, one that brought nothing yet or half a request would hold the close up, and
 * so would one whose answer was under way.
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
