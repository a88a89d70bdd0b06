import { once } from 'node:events';
import { Client, Connection } from '@temporalio/client';
import express from 'express';
import { startBySdk } from './start-by-sdk.ts';

/** `express.ts <address>`: a handler of Express that starts by the SDK, and nothing else: no token, no check, no log. */
const [address = ''] = process.argv.slice(2);

const client = new Client({ connection: await Connection.connect({ address }) });
const app = express();
app.use(express.json());
app.post('/v1/user-grants', async (request, response) => {
  const { userId } = request.body as { readonly userId: string };
  const { workflowId } = await startBySdk(client, userId, request.body);
  response.status(202).json({ id: userId, workflowId });
});

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const listening = server.address();
process.on('disconnect', () => process.exit());
if (listening !== null && typeof listening === 'object') process.send?.({ url: `http://127.0.0.1:${listening.port}` });
