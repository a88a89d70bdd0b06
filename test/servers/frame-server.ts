import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  createFrameReader,
  flag,
  frameOf,
  frameType,
  settingsFrame,
  uint32,
} from '../../src/orchestration/transport/frames.ts';
import { encodeHeaders } from '../../src/orchestration/transport/hpack.ts';
import { grpcMessage } from './http2-server.ts';

/** One request to a {@link startFrameServer}, and what the server can do about it. */
export interface FramedRequest {
  readonly streamId: number;
  readonly send: (...frames: Buffer[]) => void;
  readonly answer: (message: Uint8Array) => void;
  /** Takes no requests with higher numbers. */
  readonly goAway: (lastId: number) => void;
  readonly socket: Socket;
}

const prefaceSize = 24;

/** An HTTP/2 server that says frames which Node's own server would never say, beginning with `greeting`. */
export async function startFrameServer(
  onRequest: (request: FramedRequest, count: number) => void,
  greeting: readonly Buffer[] = [settingsFrame([])],
) {
  const sockets = new Set<Socket>();
  let count = 0;
  let connections = 0;

  function accept(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    const send = (...frames: Buffer[]): void => void socket.write(Buffer.concat(frames));
    connections += 1;
    send(...greeting);
    const read = createFrameReader(({ type, flags, streamId }) => {
      if (type !== frameType.data || (flags & flag.endStream) === 0) return;
      onRequest(requestOf(streamId, socket, send), (count += 1));
    });
    let skipped = 0;
    socket.on('data', (chunk: Buffer) => {
      const rest = Math.min(chunk.length, prefaceSize - skipped);
      skipped += rest;
      read(chunk.subarray(rest));
    });
  }

  const server = createServer(accept);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    port: (server.address() as AddressInfo).port,
    sockets,
    /** How many there have been. */
    connections: () => connections,
    stop(): void {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const requestOf = (streamId: number, socket: Socket, send: FramedRequest['send']): FramedRequest => ({
  streamId,
  socket,
  send,
  answer(message) {
    const trailers = encodeHeaders([['grpc-status', '0']]);
    send(
      frameOf(frameType.headers, flag.endHeaders, streamId, encodeHeaders([[':status', '200']])),
      frameOf(frameType.data, 0, streamId, grpcMessage(message)),
      frameOf(frameType.headers, flag.endHeaders | flag.endStream, streamId, trailers),
    );
  },
  goAway: (lastId) => send(goAwayFrame(lastId)),
});

export const goAwayFrame = (lastId: number): Buffer =>
  frameOf(frameType.goAway, 0, 0, Buffer.concat([uint32(lastId), uint32(0)]));
