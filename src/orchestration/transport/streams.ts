import type { HeaderList } from './hpack.ts';

/** How a request ended. */
export type Ending =
  /** The peer's answer is whole. Headers and trailers are one list. */
  | { readonly kind: 'answered'; readonly headers: HeaderList; readonly body: Buffer }
  /** The peer leaves, and says that it did nothing for this request and never will. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer, or half of one. The peer may have done what was asked. */
  | { readonly kind: 'broken'; readonly reason: string };

export type OnEnd = (ending: Ending) => void;

interface Stream {
  readonly onEnd: OnEnd;
  headers: HeaderList;
  readonly chunks: Buffer[];
  size: number;
}

export type Streams = ReturnType<typeof createStreams>;

/** The SDK's own limit. An answer may be a page of a history. */
export const maxAnswerSize = 128 * 1024 * 1024;
const maxStreamId = 2 ** 31 - 1;

/** The requests of one session, each with what has come of its answer. `onGone` is called after each that is gone. */
export function createStreams(onGone: (streamId: number) => void) {
  const streams = new Map<number, Stream>();
  let nextId = 1;
  let hasAnswered = false;

  function end(streamId: number, ending: Ending): void {
    const stream = streams.get(streamId);
    if (stream === undefined) return;
    streams.delete(streamId);
    onGone(streamId);
    stream.onEnd(ending);
  }

  function finish(streamId: number, { headers, chunks }: Stream): void {
    hasAnswered = true;
    const [first] = chunks;
    const body = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
    end(streamId, { kind: 'answered', headers, body });
  }

  return {
    begin(onEnd: OnEnd): number {
      const streamId = nextId;
      nextId += 2;
      streams.set(streamId, { onEnd, headers: [], chunks: [], size: 0 });
      return streamId;
    },

    count: (): number => streams.size,

    /** Whether any request has been answered. */
    hasAnswered: (): boolean => hasAnswered,

    /** Whether every number for a request has been used. */
    areUsedUp: (): boolean => nextId > maxStreamId,

    /** What comes for a request that is gone is left out, here and below. */
    addHeaders(streamId: number, headers: HeaderList, isLast: boolean): void {
      const stream = streams.get(streamId);
      if (stream === undefined) return;
      stream.headers = stream.headers.length === 0 ? headers : [...stream.headers, ...headers];
      if (isLast) finish(streamId, stream);
    },

    addBody(streamId: number, content: Buffer, isLast: boolean): void {
      const stream = streams.get(streamId);
      if (stream === undefined) return;
      stream.size += content.length;
      if (content.length > 0) stream.chunks.push(content);
      if (stream.size > maxAnswerSize) end(streamId, { kind: 'broken', reason: 'the answer is too large' });
      else if (isLast) finish(streamId, stream);
    },

    end,

    /** Ends the requests with higher numbers, which the peer will not work on. */
    endAfter(lastId: number, ending: Ending): void {
      for (const streamId of [...streams.keys()]) if (streamId > lastId) end(streamId, ending);
    },

    /** Forgets a request. False where it is gone already. */
    forget(streamId: number): boolean {
      if (!streams.delete(streamId)) return false;
      onGone(streamId);
      return true;
    },
  };
}
