import type { Socket } from 'node:net';
import { createBlocks } from './blocks.ts';
import {
  contentOf,
  createFrameReader,
  errorCode,
  flag,
  type Frame,
  frameOf,
  frameType,
  readSettings,
  setting,
  settingsFrame,
  uint32,
} from './frames.ts';
import { decodeKnownHeaders } from './hpack.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createStreams, maxAnswerSize, type OnEnd, type Streams } from './streams.ts';

export interface SessionRequest {
  /** HPACK, in parts. Together they must fit into a frame of 16 KiB. */
  readonly headers: readonly Buffer[];
  readonly body: Uint8Array;
  /** Called once, unless the request is cancelled first. */
  readonly onEnd: OnEnd;
}

export type Session = ReturnType<typeof createSession>;

interface SessionEvents {
  /** The peer has said its settings: requests may be sent. */
  readonly onReady: () => void;
  /** The peer takes no new requests. Those under way go on. */
  readonly onDraining: () => void;
  /** A request has ended, so that there may be room for another. */
  readonly onRoom: () => void;
  readonly onClose: (reason: string) => void;
}

const maxStreamId = 2 ** 31 - 1;
/** How much the peer may send before we say that we have read it, over all requests. */
const connectionWindow = 2 ** 30;

const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  settingsFrame([
    [setting.headerTableSize, 0],
    [setting.enablePush, 0],
    [setting.initialWindowSize, maxAnswerSize],
  ]),
  frameOf(frameType.windowUpdate, 0, 0, uint32(connectionWindow)),
]);

/**
 * One HTTP/2 connection (RFC 9113) over a socket, for small requests that are answered whole. It leaves time limits to its
 * callers. The socket may still be connecting.
 */
export function createSession(socket: Socket, { onReady, onDraining, onRoom, onClose }: SessionEvents) {
  const outbox = createOutbox(socket);
  let maxStreams = 0;
  let isReady = false;
  let isDraining = false;
  let isOver = false;

  const streams = createStreams((streamId) => {
    // A refusal may come before the whole body was sent.
    if (outbox.forget(streamId)) reset(streamId);
    if (!isDraining) onRoom();
    else if (streams.count() === 0) socket.destroy();
  });

  const reset = (streamId: number): void =>
    outbox.push(frameOf(frameType.rstStream, 0, streamId, uint32(errorCode.cancel)));

  function fail(reason: string): void {
    if (isOver) return;
    isOver = true;
    isDraining = true;
    socket.destroy();
    onClose(reason);
    streams.endAfter(0, { kind: 'broken', reason });
  }

  function drain(): void {
    if (isDraining) return;
    isDraining = true;
    onDraining();
    if (streams.count() === 0) socket.destroy();
  }

  const see = createFrameHandlers({
    outbox,
    streams,
    drain,
    setMaxStreams(count) {
      maxStreams = count ?? (isReady ? maxStreams : Infinity);
      const tell = isReady ? onRoom : onReady;
      isReady = true;
      tell();
    },
  });
  readFrom(socket, see, fail);
  outbox.push(preface);

  return {
    hasRoom: (): boolean => isReady && !isDraining && streams.count() < maxStreams,

    hasAnswered: streams.hasAnswered,

    /** Sends a request, for which there must be room. Gives the function that cancels it. */
    request({ headers, body, onEnd }: SessionRequest): () => void {
      const streamId = streams.begin(onEnd);
      outbox.request(streamId, headers, body);
      if (streams.areUsedUp()) drain();
      return () => {
        if (streams.forget(streamId)) reset(streamId);
      };
    },

    /** Takes no new requests, and closes once those under way have ended. */
    drain,

    /** Ends requests under way as broken. */
    close: (): void => fail('the connection was closed'),
  };
}

/** Hands on each frame that comes, and says once or more why no more will. */
function readFrom(socket: Socket, see: (frame: Frame) => void, fail: (reason: string) => void): void {
  const read = createFrameReader(see);
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      fail(error instanceof Error ? error.message : 'the peer does not speak HTTP/2');
    }
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('the connection was closed'));
}

interface FrameHandling {
  readonly outbox: Outbox;
  readonly streams: Streams;
  readonly drain: () => void;
  /** Called for each SETTINGS frame; undefined where it does not say how many requests there may be at once. */
  readonly setMaxStreams: (count: number | undefined) => void;
}

/** Does what each frame of the peer says. Throws where the connection cannot go on. */
function createFrameHandlers({ outbox, streams, drain, setMaxStreams }: FrameHandling): (frame: Frame) => void {
  let unacknowledged = 0;
  const blocks = createBlocks((streamId, block, flags) =>
    streams.addHeaders(streamId, decodeKnownHeaders(block), (flags & flag.endStream) > 0),
  );

  const handlers: Readonly<Record<number, (frame: Frame) => void>> = {
    [frameType.data](frame) {
      unacknowledged += frame.payload.length;
      if (unacknowledged > connectionWindow / 2) {
        outbox.push(frameOf(frameType.windowUpdate, 0, 0, uint32(unacknowledged)));
        unacknowledged = 0;
      }
      streams.addBody(frame.streamId, contentOf(frame), (frame.flags & flag.endStream) > 0);
    },
    [frameType.headers]: blocks.add,
    [frameType.continuation]: blocks.add,
    [frameType.rstStream]({ streamId, payload }) {
      // REFUSED_STREAM proves nothing: proxies pass a lost server on by that code, after the server has worked on it.
      streams.end(streamId, {
        kind: 'broken',
        reason: `the peer reset the request with code ${payload.readUInt32BE()}`,
      });
    },
    [frameType.settings]({ flags, payload }) {
      if ((flags & flag.ack) > 0) return;
      const values = new Map(readSettings(payload));
      outbox.apply({
        initialWindow: values.get(setting.initialWindowSize),
        maxFrameSize: values.get(setting.maxFrameSize),
      });
      outbox.push(frameOf(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
      setMaxStreams(values.get(setting.maxConcurrentStreams));
    },
    [frameType.pushPromise]() {
      throw new Error('the peer pushes what nobody asked for');
    },
    [frameType.ping]({ flags, payload }) {
      if ((flags & flag.ack) === 0) outbox.push(frameOf(frameType.ping, flag.ack, 0, payload));
    },
    [frameType.goAway]({ payload }) {
      const lastId = payload.readUInt32BE() & maxStreamId;
      drain();
      streams.endAfter(lastId, { kind: 'refused', reason: 'the peer takes no more requests' });
    },
    [frameType.windowUpdate]({ streamId, payload }) {
      outbox.widen(streamId, payload.readUInt32BE() & maxStreamId);
    },
  };

  return (frame) => {
    blocks.expect(frame);
    handlers[frame.type]?.(frame);
  };
}
