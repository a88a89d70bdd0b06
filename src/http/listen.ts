import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Opens a listener. Gives its address, with the port that was picked where `port` is 0. */
export async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  await app.listen({ host, port });
  const bound = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`;
}
