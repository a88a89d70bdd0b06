import { once } from 'node:events';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream, type ServerOptions } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A request that has arrived whole. */
export interface ArrivedRequest {
  readonly stream: ServerHttp2Stream;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly session: ServerHttp2Session;
}

/** A plain HTTP/2 server on a loopback port. `answer` gets each request once it has arrived whole. */
export async function startHttp2Server(answer: (request: ArrivedRequest) => void, options: ServerOptions = {}) {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(options);
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined).once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      const session = [...sessions].find((each) => each === stream.session);
      if (session !== undefined) answer({ stream, headers, body: Buffer.concat(chunks), session });
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    stop(): void {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** A message as gRPC frames it. */
export function grpcMessage(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Answers a request as gRPC does. */
export function respond(stream: ServerHttp2Stream, body: Uint8Array, trailers: Record<string, string | string[]> = {}) {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...trailers }));
  stream.end(grpcMessage(body));
}
