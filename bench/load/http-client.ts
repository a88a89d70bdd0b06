import { connect, type Socket } from 'node:net';

/** A request as it goes over the wire. */
export interface RawRequest {
  readonly text: string;
  /** What the answer's status must be. */
  readonly status: number;
  /** Others that it may have: then it is refused, which is no failure. */
  readonly or?: readonly number[];
}

interface Connection {
  readonly socket: Socket;
  read: string;
  waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * An HTTP/1.1 client that keeps its connections and does little else, so that it is not what a benchmark measures. Each
 * connection has one request under way.
 */
export function createHttpClient(url: string) {
  const { hostname, port } = new URL(url);
  const free: Connection[] = [];
  const all = new Set<Connection>();

  function open(): Connection {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.setEncoding('latin1');
    const connection: Connection = { socket, read: '', waiting: undefined };
    all.add(connection);
    const drop = (error?: Error) => {
      all.delete(connection);
      const at = free.indexOf(connection);
      if (at >= 0) free.splice(at, 1);
      socket.destroy();
      connection.waiting?.reject(error ?? new Error('the connection was closed before its answer'));
      connection.waiting = undefined;
    };
    socket.on('error', drop);
    socket.on('close', () => drop());
    socket.on('data', (chunk: string) => {
      connection.read += chunk;
      const answer = answerIn(connection.read);
      if (answer === undefined) return;
      connection.read = '';
      const { waiting } = connection;
      connection.waiting = undefined;
      if (answer.closes) drop();
      else free.push(connection);
      waiting?.resolve(answer);
    });
    return connection;
  }

  return {
    /** Whether it was answered as it should. Rejects where the answer is neither that nor a refusal. */
    async send({ text, status, or = [] }: RawRequest): Promise<boolean> {
      const answer = await new Promise<Answer>((resolve, reject) => {
        const connection = free.pop() ?? open();
        connection.waiting = { resolve, reject };
        connection.socket.write(text, 'latin1');
      });
      if (answer.status !== status && !or.includes(answer.status))
        throw new Error(`answered ${answer.status}: ${answer.body.slice(0, 300)}`);
      return answer.status === status;
    },
    close(): void {
      for (const { socket } of all) socket.destroy();
    },
  };
}

/** The answer that the text holds, once it is whole. */
function answerIn(text: string): (Answer & { readonly closes: boolean }) | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const status = Number(head.slice(9, 12));
  const closes = /\r\nconnection: close/i.test(head);
  const [, length] = /\r\ncontent-length: ?(\d+)/i.exec(head) ?? [];
  const bodyAt = headEnd + 4;
  if (length === undefined) {
    if (!text.endsWith('0\r\n\r\n')) return undefined;
    return { status, closes, body: text.slice(bodyAt) };
  }
  const endsAt = bodyAt + Number(length);
  return text.length < endsAt ? undefined : { status, closes, body: text.slice(bodyAt, endsAt) };
}
