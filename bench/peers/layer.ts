import { readFileSync } from 'node:fs';
import jwt from '@fastify/jwt';
import { Connection } from '@temporalio/client';
import Fastify from 'fastify';
import { userGrantInput } from '../../src/catalog/user-grants.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { fingerprintOf } from '../../src/orchestration/identity.ts';
import { startRaw, tenant } from './start-by-sdk.ts';

/**
 * `layer.ts <address> <public key file> <layers>`: a route with the first so many duties of a start, each by the library
 * that does it and with its defaults. What a duty costs is the difference to the route with one less.
 */
const [address = '', keyFile = '', layers = '0'] = process.argv.slice(2);
const has = (layer: number): boolean => Number(layers) >= layer;

const app = Fastify();
const connection = await Connection.connect({ address });

if (has(1)) {
  await app.register(jwt, { secret: { public: readFileSync(keyFile) }, verify: { algorithms: ['RS256'] } });
  app.addHook('onRequest', async (request) => {
    await request.jwtVerify();
  });
}
if (has(3)) {
  const logger = createLogger({ level: 'info' });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    logger.info(
      { method, route: routeOptions.url, status: reply.statusCode, durationMs: reply.elapsedTime },
      'request',
    );
    done();
  });
}
app.post('/v1/user-grants', async (request, reply) => {
  const { userId } = has(2) ? userGrantInput.parse(request.body) : (request.body as { readonly userId: string });
  if (has(4)) fingerprintOf({ tenant, process: 'user-grants', body: request.body });
  if (has(5)) await startRaw(connection, userId);
  const startedAt = new Date().toISOString();
  return reply.code(202).send({ id: userId, status: 'running', step: 'congratulating', startedAt });
});

process.on('disconnect', () => process.exit());
process.send?.({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
