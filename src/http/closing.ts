import type { FastifyInstance } from 'fastify';
import { Problem } from '../problems.ts';

/**
 * The guard that throws `overloaded` once the app closes. From then on, and while `isDraining`, each connection is closed
 * after its answer. Answers count and not requests: a request may have come long before the process was asked to stop.
 */
export function refuseWhileClosing(app: FastifyInstance, isDraining: () => boolean): () => void {
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing || isDraining()) reply.header('Connection', 'close');
    done(null, payload);
  });
  return () => {
    if (isClosing) throw new Problem('overloaded');
  };
}
