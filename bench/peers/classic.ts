import { readFileSync } from 'node:fs';
import jwt from '@fastify/jwt';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import Fastify from 'fastify';
import { z } from 'zod';
import { idOf, startBySdk } from './start-by-sdk.ts';

/**
 * `classic.ts <address> <public key file>`: the handler that one writes first. Fastify and its plugins with their
 * defaults, a body checked by zod, and a start that asks before whether the instance is there.
 */
const [address = '', keyFile = ''] = process.argv.slice(2);

const client = new Client({ connection: await Connection.connect({ address }) });
const body = z.object({
  userId: z.string().min(1).max(64),
  name: z.string().min(1).max(200),
  locale: z.string().optional(),
});

const app = Fastify({ logger: true });
await app.register(jwt, { secret: { public: readFileSync(keyFile) }, verify: { algorithms: ['RS256'] } });
app.addHook('onRequest', async (request) => {
  await request.jwtVerify();
});
app.post('/v1/user-grants', async (request, reply) => {
  const parsed = body.safeParse(request.body);
  if (!parsed.success) return reply.code(400).send({ error: parsed.error.message });
  const { userId } = parsed.data;
  try {
    const { status } = await client.workflow.getHandle(idOf(userId)).describe();
    return await reply.code(202).send({ id: userId, status: status.name });
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const { workflowId } = await startBySdk(client, userId, parsed.data);
  return reply.code(202).send({ id: userId, workflowId, status: 'RUNNING' });
});

process.on('disconnect', () => process.exit());
process.send?.({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
