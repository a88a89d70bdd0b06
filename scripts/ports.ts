import { listenErrorOf } from '../src/worker/free-port.ts';

export { freePort as freePort, listenErrorOf } from '../src/worker/free-port.ts';

/** True if the port of this host can be listened on at this moment. */
export const isFree = async (port: number, host: string): Promise<boolean> =>
  (await listenErrorOf(port, host)) === undefined;
