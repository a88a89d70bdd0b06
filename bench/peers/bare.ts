import { readFileSync } from 'node:fs';
import Fastify from 'fastify';

/**
 * `bare.ts <address> <workflow bundle>`: Fastify with one route and, where an address is given, a worker of the SDK with
 * nothing to do. It tells when it serves and its worker polls.
 */
const [address, bundle = ''] = process.argv.slice(2);

const app = Fastify({ logger: true });
app.get('/', () => ({ status: 'ok' }));
await app.listen({ host: '127.0.0.1', port: 0 });

if (address !== undefined) {
  const { DefaultLogger, NativeConnection, Runtime, Worker } = await import('@temporalio/worker');
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: 'bare',
    workflowBundle: { code: readFileSync(bundle, 'utf8') },
  });
  void worker.run();
}

process.on('disconnect', () => process.exit());
process.send?.({});
