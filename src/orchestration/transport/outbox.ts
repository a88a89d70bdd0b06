import type { Socket } from 'node:net';
import { defaultMaxFrameSize, flag, frameOf, frameType, requestFrames } from './frames.ts';

const defaultWindow = 65_535;

/** A request whose body has to wait for the peer's permission. */
interface Waiting {
  rest: Uint8Array;
  window: number;
}

export type Outbox = ReturnType<typeof createOutbox>;

/** Sends what a session has to say, within the windows that the peer grants (RFC 9113, section 5.2). */
export function createOutbox(socket: Socket) {
  const push = createWriter(socket);
  const waiting = new Map<number, Waiting>();
  let connectionWindow = defaultWindow;
  let initialWindow = defaultWindow;
  let maxFrameSize = defaultMaxFrameSize;

  function pump(): void {
    for (const [streamId, stream] of waiting) {
      let size = Math.min(stream.window, connectionWindow, stream.rest.length, maxFrameSize);
      for (; size > 0; size = Math.min(stream.window, connectionWindow, stream.rest.length, maxFrameSize)) {
        const isLast = size === stream.rest.length;
        push(frameOf(frameType.data, isLast ? flag.endStream : 0, streamId, stream.rest.subarray(0, size)));
        stream.rest = stream.rest.subarray(size);
        stream.window -= size;
        connectionWindow -= size;
        if (isLast) waiting.delete(streamId);
      }
    }
  }

  return {
    push,

    /** The headers must fit into one frame. The body follows as the peer permits. */
    request(streamId: number, headers: readonly Buffer[], body: Uint8Array): void {
      const fits = body.length <= Math.min(connectionWindow, initialWindow, defaultMaxFrameSize);
      if (fits && waiting.size === 0) {
        connectionWindow -= body.length;
        push(requestFrames(streamId, headers, body));
        return;
      }
      push(frameOf(frameType.headers, flag.endHeaders, streamId, Buffer.concat(headers)));
      waiting.set(streamId, { rest: body, window: initialWindow });
      pump();
    },

    /** Sends no more of a request. True where some of it was still to be sent. */
    forget: (streamId: number): boolean => waiting.delete(streamId),

    /** The peer takes so many bytes more: for a request, or for all of them where its id is 0. */
    widen(streamId: number, bytes: number): void {
      if (streamId === 0) connectionWindow += bytes;
      const stream = waiting.get(streamId);
      if (stream !== undefined) stream.window += bytes;
      pump();
    },

    /** Takes the peer's settings. A window that streams begin with changes that of the waiting ones by the difference. */
    apply(told: { readonly initialWindow: number | undefined; readonly maxFrameSize: number | undefined }): void {
      maxFrameSize = told.maxFrameSize ?? maxFrameSize;
      const before = initialWindow;
      initialWindow = told.initialWindow ?? initialWindow;
      for (const stream of waiting.values()) stream.window += initialWindow - before;
      pump();
    },
  };
}

/** So many frames do not wait for the end of a turn, which may be long: the peer works on them meanwhile. */
const maxHeldFrames = 4;

/** What is said in one turn of the event loop leaves as few writes. */
function createWriter(socket: Socket): (frame: Buffer) => void {
  let frames: Buffer[] = [];
  let isScheduled = false;
  function flush(): void {
    const bytes = frames.length === 1 ? frames[0] : Buffer.concat(frames);
    frames = [];
    if (bytes !== undefined && socket.writable) socket.write(bytes);
  }
  return (frame) => {
    if (frames.push(frame) >= maxHeldFrames) flush();
    else if (!isScheduled) {
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        if (frames.length > 0) flush();
      });
    }
  };
}
