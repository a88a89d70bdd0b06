/** Kinds of HTTP/2 frames (RFC 9113, section 6) that a client of plain requests meets. */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
} as const;

export const errorCode = { cancel: 8 } as const;

/** What both sides may send in one frame unless told otherwise, in bytes. We tell the peer nothing else. */
export const defaultMaxFrameSize = 16_384;

const headSize = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Writes a frame at `at` but for its payload. Gives where that begins. */
export function writeFrameHead(
  into: Buffer,
  at: number,
  frame: { type: number; flags: number; streamId: number; size: number },
): number {
  into.writeUIntBE(frame.size, at, 3);
  into[at + 3] = frame.type;
  into[at + 4] = frame.flags;
  into.writeUInt32BE(frame.streamId, at + 5);
  return at + headSize;
}

export function frameOf(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headSize + payload.length);
  frame.set(payload, writeFrameHead(frame, 0, { type, flags, streamId, size: payload.length }));
  return frame;
}

/** A request in one piece: HEADERS, and DATA that ends it. Neither may be longer than a frame. */
export function requestFrames(streamId: number, headers: readonly Buffer[], body: Uint8Array): Buffer {
  const size = headers.reduce((sum, part) => sum + part.length, 0);
  const frames = Buffer.allocUnsafe(2 * headSize + size + body.length);
  let at = writeFrameHead(frames, 0, { type: frameType.headers, flags: flag.endHeaders, streamId, size });
  for (const part of headers) {
    frames.set(part, at);
    at += part.length;
  }
  at = writeFrameHead(frames, at, { type: frameType.data, flags: flag.endStream, streamId, size: body.length });
  frames.set(body, at);
  return frames;
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export const settingsFrame = (values: readonly (readonly [id: number, value: number])[]): Buffer =>
  frameOf(
    frameType.settings,
    0,
    0,
    Buffer.concat(values.flatMap(([id, value]) => [Buffer.of(id >> 8, id & 255), uint32(value)])),
  );

/** The values of a SETTINGS frame, in the order they came. */
export const readSettings = (payload: Buffer): (readonly [id: number, value: number])[] =>
  Array.from({ length: Math.floor(payload.length / 6) }, (_, index) => [
    payload.readUInt16BE(6 * index),
    payload.readUInt32BE(6 * index + 2),
  ]);

/** A payload without its padding and, in HEADERS, without its priority. Throws where it has more padding than bytes. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  const isPadded = (flags & flag.padded) > 0;
  const padding = isPadded ? (payload[0] ?? payload.length) : 0;
  const hasPriority = type === frameType.headers && (flags & flag.priority) > 0;
  const start = (isPadded ? 1 : 0) + (hasPriority ? 5 : 0);
  if (start + padding > payload.length) throw new Error('a frame has more padding than bytes');
  return payload.subarray(start, payload.length - padding);
}

/** Cuts what arrives into frames. Throws at one that is longer than allowed, and whatever `see` throws. */
export function createFrameReader(see: (frame: Frame) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= headSize) {
      const size = bytes.readUIntBE(at, 3);
      if (size > defaultMaxFrameSize) throw new Error('a frame is longer than allowed');
      const end = at + headSize + size;
      if (bytes.length < end) break;
      see({
        type: bytes.readUInt8(at + 3),
        flags: bytes.readUInt8(at + 4),
        streamId: bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: bytes.subarray(at + headSize, end),
      });
      at = end;
    }
    rest = bytes.subarray(at);
  };
}
