import { once } from 'node:events';
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http';
import { problemBodyOf } from '../../src/http/problem-body.ts';
import { Problem } from '../../src/problems.ts';

/**
 * What becomes of one request.
 * - `bad-gateway`: the page of a gateway that reaches nobody. The server gets nothing.
 * - `overloaded`: a refusal as Portico gives it. The server gets nothing.
 * - `cut`: the server does what it is asked for, and the line is cut instead of its answer.
 * - `unknown`: the server does what it is asked for, and the answer is a 504 `outcome-unknown`.
 * - `truncated`: the answer ends in its middle.
 */
export type HttpFault = 'bad-gateway' | 'overloaded' | 'cut' | 'unknown' | 'truncated';

/** One request that came, and what the server answered to it where it got it. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly idempotencyKey: string | undefined;
  readonly body: string;
  readonly fault: HttpFault | undefined;
  readonly status?: number;
  readonly idempotencyStatus?: string | undefined;
}

export type FaultyHttpProxy = Awaited<ReturnType<typeof startFaultyHttpProxy>>;

/**
 * An HTTP proxy on a free port of 127.0.0.1. `faultOf` is asked for each request, with those that came before it; `answered`
 * hears of each status before the caller does.
 */
export async function startFaultyHttpProxy(options: {
  readonly target: string;
  readonly faultOf: (asked: Pick<Exchange, 'method' | 'path' | 'body'>) => HttpFault | undefined;
  readonly answered?: (status: number) => void;
}) {
  const exchanges: Exchange[] = [];
  const server = createServer((incoming, outgoing) => {
    void pass(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const sent = await textOf(incoming);
    const asked = { method: incoming.method ?? '', path: incoming.url ?? '', body: sent };
    const fault = options.faultOf(asked);
    const key = incoming.headers['idempotency-key'];
    const exchange = { ...asked, fault, idempotencyKey: typeof key === 'string' ? key : undefined };
    if (fault === 'bad-gateway' || fault === 'overloaded') {
      exchanges.push(exchange);
      refuse(outgoing, fault, asked.path);
      return;
    }
    const { status, headers, text } = await forwarded(incoming, sent);
    exchanges.push({ ...exchange, status, idempotencyStatus: headers['idempotency-status'] as string | undefined });
    options.answered?.(status);
    if (fault === 'cut') outgoing.destroy();
    else if (fault === 'unknown') refuse(outgoing, fault, asked.path);
    else {
      outgoing.writeHead(status, { ...headers, connection: 'close' });
      if (fault === 'truncated') outgoing.write(text.slice(0, text.length / 2), () => outgoing.destroy());
      else outgoing.end(text);
    }
  }

  async function forwarded(incoming: IncomingMessage, body: string) {
    const { host: _, ...headers } = incoming.headers;
    const onward = ask(new URL(incoming.url ?? '/', options.target), { method: incoming.method, headers });
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: answer.headers, text: await textOf(answer) };
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    exchanges,
    close(): void {
      server.closeAllConnections();
      server.close();
    },
  };
}

function refuse(outgoing: ServerResponse, fault: 'bad-gateway' | 'overloaded' | 'unknown', path: string): void {
  if (fault === 'bad-gateway') {
    outgoing.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
    return;
  }
  const code = fault === 'overloaded' ? 'overloaded' : 'outcome-unknown';
  const body = problemBodyOf(new Problem(code, { retryAfterMs: 20 }), path);
  outgoing
    .writeHead(body.status, { 'content-type': 'application/problem+json', 'retry-after': '1' })
    .end(JSON.stringify(body));
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
