import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';

/**
 * Serves a page whose module runs to its end before the page counts as loaded: an image of the page is answered once the
 * module asks for that. The scripts of `dist` are served beside.
 */
export async function startPageServer(dist: string) {
  let script = '';
  let image: ServerResponse | undefined;
  let isDone = false;
  const endWhenDone = () => {
    if (isDone) image?.writeHead(204).end();
  };
  const server = createServer(({ url = '' }, response) => {
    if (url === '/image') {
      image = response;
      endWhenDone();
    } else if (url === '/done') {
      response.writeHead(204).end();
      isDone = true;
      endWhenDone();
    } else if (url.startsWith('/dist/') || url === '/page.js') {
      response.writeHead(200, { 'Content-Type': 'text/javascript' });
      response.end(url === '/page.js' ? script : readFileSync(join(dist, url.slice('/dist/'.length))));
    } else if (url === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end(
        '<link rel="icon" href="data:,"><body><img src="/image"><script type="module" src="/page.js"></script>',
      );
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    /** What the module of the page runs. */
    serve(program: string): void {
      script = `addEventListener('unhandledrejection', () => fetch('/done'));${program}\nawait fetch('/done');`;
    },
    async close(): Promise<void> {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
