import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Certificate } from './certificates.ts';

/** One request as it came over the wire. */
interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WebhookReceiver {
  readonly port: number;
  /** On 127.0.0.1, of the scheme it speaks. */
  readonly url: string;
  readonly received: readonly Received[];
  /** Connections so far, also those on which nothing was asked. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
}

/** A receiver on this machine. Each request is kept once its body is there, and answered by `answer`; else with a 204. */
export async function startWebhookReceiver(
  options: { readonly answer?: RequestListener; readonly tls?: Certificate } = {},
): Promise<WebhookReceiver> {
  const { answer = (_, response) => response.writeHead(204).end(), tls } = options;
  const received: Received[] = [];
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
      answer(request, response);
    });
  };
  const server = tls === undefined ? createPlainServer(listener) : createSecureServer(tls, listener);
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    port: address.port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}/hook`,
    received,
    connections: () => connections,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
