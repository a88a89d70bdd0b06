import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { Relay } from './relay.ts';

/** Serves `/livez`, `/readyz` and `/metrics` of a relay. Resolves with where, once it listens. */
export async function serveAdmin(relay: Relay, { host, port }: { host: string; port: number }) {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      tell(response, 405, 'text/plain', 'GET alone\n');
      return;
    }
    switch (path) {
      case '/livez': {
        tell(response, 200, 'text/plain', 'ok\n');
        return;
      }
      case '/readyz': {
        const { isReady, ...health } = relay.health();
        tell(response, isReady ? 200 : 503, 'application/json', JSON.stringify(health));
        return;
      }
      case '/metrics': {
        const { registry } = relay;
        registry.metrics().then(
          (text) => tell(response, 200, registry.contentType, text),
          () => tell(response, 500, 'text/plain', 'the metrics cannot be read\n'),
        );
        return;
      }
      default: {
        tell(response, 404, 'text/plain', 'there are /livez, /readyz and /metrics\n');
        return;
      }
    }
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    async close(): Promise<void> {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function tell(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}
