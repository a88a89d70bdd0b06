/** What is needed of a socket: what arrives on it, and a way to answer. */
type ClientSocket = AsyncIterable<unknown> & { write(text: string): unknown };

const sslRequest = 80877103;
const cancelRequest = 80877102;
const terminate = 0x58;

/**
 * What a PostgreSQL client sends, in runs of whole messages, until it says goodbye or is gone. Requests for TLS are
 * declined here. https://www.postgresql.org/docs/15/protocol-message-formats.html
 */
export async function* readMessages(socket: ClientSocket): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  let isStarted = false;
  for await (const chunk of chunksOf(socket)) {
    rest = Buffer.concat([rest, chunk]);
    // The first messages have no type byte before their length.
    while (!isStarted && rest.length >= 8 && rest.length >= rest.readInt32BE(0)) {
      const code = rest.readInt32BE(4);
      if (code === cancelRequest) return;
      if (code === sslRequest) {
        socket.write('N');
        rest = rest.subarray(8);
        continue;
      }
      isStarted = true;
      yield take(rest.readInt32BE(0));
    }
    const { end, isLast } = isStarted ? wholeMessagesIn(rest) : { end: 0, isLast: false };
    if (end > 0) yield take(end);
    if (isLast) return;
  }

  function take(end: number): Uint8Array {
    const taken = new Uint8Array(rest.subarray(0, end));
    rest = rest.subarray(end);
    return taken;
  }
}

/** How many bytes of `bytes` are whole messages, up to the one that ends the session. */
function wholeMessagesIn(bytes: Buffer): { end: number; isLast: boolean } {
  let end = 0;
  while (bytes.length >= end + 5) {
    if (bytes[end] === terminate) return { end, isLast: true };
    const next = end + 1 + bytes.readInt32BE(end + 1);
    if (next > bytes.length) break;
    end = next;
  }
  return { end, isLast: false };
}

/** A lost connection ends the stream; it is no error here. */
async function* chunksOf(socket: ClientSocket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch {
    return;
  }
}
