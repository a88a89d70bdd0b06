import { once } from 'node:events';
import { createServer } from 'node:net';

export { freeLoopbackPort as freePort } from '../src/free-port.ts';

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

/** True if the port of this host can be listened on at this moment. */
export const isFree = async (port: number, host: string): Promise<boolean> =>
  (await listenErrorOf(port, host)) === undefined;
