import { contentOf, flag, type Frame, frameType } from './frames.ts';

const maxSize = 256 * 1024;

/**
 * Puts blocks of headers together, which may go on in CONTINUATION frames. Throws where another frame comes in between.
 * `see` gets each whole block with the flags of its first frame.
 */
export function createBlocks(see: (streamId: number, block: Buffer, flags: number) => void) {
  let begun: { readonly streamId: number; readonly flags: number; readonly block: Buffer } | undefined;

  return {
    /** To be called for every frame. */
    expect({ type, streamId }: Frame): void {
      const isExpected = begun === undefined ? type !== frameType.continuation : type === frameType.continuation;
      if (!isExpected || (begun !== undefined && begun.streamId !== streamId))
        throw new Error('headers are cut by another frame');
    },

    /** Takes a HEADERS or a CONTINUATION frame. */
    add(frame: Frame): void {
      const content = begun === undefined ? contentOf(frame) : frame.payload;
      const block = begun === undefined ? content : Buffer.concat([begun.block, content]);
      const flags = begun?.flags ?? frame.flags;
      if (block.length > maxSize) throw new Error('the headers are too large');
      const isWhole = (frame.flags & flag.endHeaders) > 0;
      begun = isWhole ? undefined : { streamId: frame.streamId, flags, block };
      if (isWhole) see(frame.streamId, block, flags);
    },
  };
}
