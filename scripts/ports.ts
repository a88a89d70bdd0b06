import { createServer, type AddressInfo } from 'node:net';

/** Why nothing can listen there at this moment, as a code such as `EADDRINUSE`; undefined if it can. */
export const listenErrorOf = async (port: number, host: string): Promise<string | undefined> =>
  (await listenOnce(port, host)).code;

/** True if the port of this host can be listened on at this moment. */
export const isFree = async (port: number, host: string): Promise<boolean> =>
  (await listenErrorOf(port, host)) === undefined;

/** A port that was free a moment ago. Somebody else may take it before you do. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const { port, code } = await listenOnce(0, host);
  if (port === undefined) throw new Error(`no port of ${host} can be listened on: ${String(code)}`);
  return port;
}

const listenOnce = (port: number, host: string): Promise<{ port?: number; code?: string }> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve({ code: 'code' in error ? String(error.code) : error.message }));
    server.listen(port, host, () => {
      const { port: taken } = server.address() as AddressInfo;
      server.close(() => resolve({ port: taken }));
    });
  });
