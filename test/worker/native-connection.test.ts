import { expect, it } from 'vitest';
import { closeQuietly, connectNative } from '../../src/worker/native-connection.ts';
import { respond, startHttp2Server } from '../servers/http2-server.ts';

it('the connection of the workers compresses nothing', async () => {
  const encodings: unknown[] = [];
  const server = await startHttp2Server(({ stream, headers }) => {
    encodings.push(headers['grpc-encoding'] ?? 'none');
    respond(stream, Buffer.alloc(0));
  });
  const connection = await connectNative({ address: `127.0.0.1:${server.port}` }, 10_000);
  await connection.workflowService.startWorkflowExecution({ namespace: 'default' });
  await closeQuietly(connection);
  server.stop();
  expect(encodings.length).toBeGreaterThan(1);
  expect(new Set(encodings)).toEqual(new Set(['none']));
});
