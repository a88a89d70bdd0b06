import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 on macOS). No such connection can
// take the port before somebody listens on it, or while a server restarts.
const [lowest, highest] = [15_000, 32_000];

/** A loopback port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest);
    if ((await listenErrorOf(port, '127.0.0.1')) === undefined) return port;
  }
}

/** Why nothing can listen there at this moment, as a code such as `EADDRINUSE`; undefined if it can. */
export async function listenErrorOf(port: number, host: string): Promise<string | undefined> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  server.close();
  await once(server, 'close');
  return undefined;
}
