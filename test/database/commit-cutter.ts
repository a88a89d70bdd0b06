import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** When the next COMMIT that comes by loses its connection. */
type Cut = 'before the server has it' | 'after the server has done it';

/** What a client sends to commit: the statement, or the one call that commits by itself. */
const committing = ['commit\0', 'open_transfer_at_once('];

/** A TCP proxy before a PostgreSQL that can cut a connection at its COMMIT, or let nothing through any more, not even an end. */
export async function startCommitCutter(serverPort: number) {
  const state: { cut?: Cut | undefined; cuts: number; isBlackHole: boolean } = { cuts: 0, isBlackHole: false };
  const sockets = new Set<Socket>();

  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    let isCommitting = false;
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        if (state.isBlackHole) return;
        client.destroy();
        server.destroy();
      });
    }
    const cutOff = () => {
      state.cut = undefined;
      state.cuts += 1;
      client.destroy();
    };
    client.on('data', (data) => {
      if (state.isBlackHole) return;
      const isCommit = state.cut !== undefined && committing.some((text) => data.includes(text));
      if (isCommit && state.cut === 'before the server has it') {
        cutOff();
        return;
      }
      isCommitting = isCommit;
      server.write(data);
    });
    server.on('data', (data) => {
      if (state.isBlackHole) return;
      // The server answers a COMMIT when it is done.
      if (isCommitting) cutOff();
      else client.write(data);
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  return {
    port: address.port,
    /** How many connections were cut. */
    get cuts() {
      return state.cuts;
    },
    cutNextCommit(cut: Cut): void {
      state.cut = cut;
    },
    swallowEverything(isBlackHole: boolean): void {
      state.isBlackHole = isBlackHole;
    },
    close(): void {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
