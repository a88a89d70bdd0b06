import { once } from 'node:events';
import { createServer } from 'node:http';
import { startNameServer } from '../../test/servers/name-server.ts';

/**
 * A receiver of webhooks that answers everything with 204, and a name server that gives its address for every name. A program
 * of its own: it tells `{"port","nameServer"}`, and ends with the process that forked it.
 */
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(204).end());
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
const nameServer = await startNameServer(({ type }) => (type === 'A' ? [{ type, value: '127.0.0.1' }] : []));

process.on('disconnect', () => process.exit());
process.send?.({
  port: address !== null && typeof address === 'object' ? address.port : 0,
  nameServer: nameServer.address,
});
