import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { SigningKey } from '../tokens/tokens.ts';

/** How the server behaves: `hang` accepts and never answers, `down` cuts the connection. */
export type JwksMode = 'ok' | 'down' | 'hang' | 'error' | 'html' | 'huge' | 'redirect' | 'drip';

/** An issuer's key set over HTTP on this machine. Rotate by changing `keys`, break by changing `mode`. */
export interface JwksServer {
  readonly url: string;
  keys: readonly object[];
  mode: JwksMode;
  /** Requests so far. */
  readonly fetches: () => number;
  readonly close: () => Promise<void>;
}

export async function startJwksServer(...keys: readonly SigningKey[]): Promise<JwksServer> {
  let fetches = 0;
  const server = createServer((request, response) => {
    if (request.url !== '/keys') return void response.writeHead(200).end('{"keys":[]}');
    fetches += 1;
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');

  const jwks: JwksServer = {
    url: `http://127.0.0.1:${address.port}/keys`,
    keys: keys.map(({ jwk }) => jwk),
    mode: 'ok',
    fetches: () => fetches,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function answer(response: ServerResponse): void {
    const set = JSON.stringify({ keys: jwks.keys });
    switch (jwks.mode) {
      case 'ok':
        response.writeHead(200, { 'Content-Type': 'application/jwk-set+json' }).end(set);
        break;
      case 'down':
        response.destroy();
        break;
      case 'hang':
        break;
      case 'error':
        response.writeHead(500).end(set);
        break;
      case 'html':
        response.writeHead(200).end('<html>maintenance</html>');
        break;
      case 'huge':
        response.writeHead(200).end(`{"keys":[],"padding":"${'x'.repeat(300_000)}"}`);
        break;
      case 'redirect':
        response.writeHead(302, { Location: '/elsewhere' }).end();
        break;
      case 'drip':
        response.writeHead(200).write('{"keys":');
        break;
    }
  }
  return jwks;
}
