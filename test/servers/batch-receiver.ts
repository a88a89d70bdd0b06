import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface BatchItem {
  readonly operation: string;
  readonly id?: string;
  readonly idempotencyKey?: string;
  readonly body: { readonly key?: string; readonly n?: number };
}

/** How a request goes wrong: before its items have an effect, or after it. */
export interface RequestFault {
  readonly how: '503' | 'hang' | 'reset' | 'long' | 'redirect';
  readonly isApplied: boolean;
}

interface ReceiverOptions {
  /** Asked for each request. */
  readonly faultFor?: (items: readonly BatchItem[]) => RequestFault | undefined;
  /** The status and body for the whole request, before anything is looked at. */
  readonly refusal?: (
    request: IncomingMessage,
    text: string,
  ) => { status: number; body: unknown; type?: string } | undefined;
  /** For how long nobody else may hold what a request brought and nobody answered. */
  readonly leaseMs?: number;
  /** Asked for each item that arrives unspoiled. */
  readonly answerTo?: (item: BatchItem) => { status: number; body: unknown };
}

export const problemOf = (status: number, code: string, retryable: boolean, more: object = {}) => ({
  status,
  body: { type: 'about:blank', title: code, status, code, retryable, effect: 'none', ...more },
});

/**
 * A stand-in for `POST /v1/batch`. Items have `{ key, n }` as body, where `n` grows within a key. It keeps what arrived,
 * and finds what must never be: an item that two requests hold, or one that comes after a later one of its key.
 */
export async function startBatchReceiver(options: ReceiverOptions = {}) {
  const arrivals: { readonly n: number; readonly atMs: number; readonly items: number }[] = [];
  const effects = new Map<number, number>();
  const highest = new Map<string, number>();
  const open = new Map<number, number>();
  const since = new Map<number, number>();
  const findings: string[] = [];
  let requests = 0;

  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    void textOf(request).then((text) => receive(request, response, text));
  });

  function receive(request: IncomingMessage, response: ServerResponse, text: string): void {
    requests += 1;
    const refused = options.refusal?.(request, text);
    if (refused !== undefined) {
      const { status, body, type = 'application/problem+json' } = refused;
      response.writeHead(status, { 'content-type': type }).end(typeof body === 'string' ? body : JSON.stringify(body));
      return;
    }
    const items = JSON.parse(text) as BatchItem[];
    for (const item of items) note(item, items.length);
    let isHeld = true;
    const letGo = () => {
      if (isHeld) for (const { body } of items) open.set(body.n ?? 0, (open.get(body.n ?? 0) ?? 0) - 1);
      isHeld = false;
    };
    // Of a sender that was killed the request may come after the end of its connection.
    response.on('close', letGo);
    if (response.destroyed) letGo();
    // Node.js keeps a connection half open whose sender was killed. After its lease others may send the row.
    setTimeout(letGo, options.leaseMs ?? 30_000).unref();
    const fault = options.faultFor?.(items);
    const answers = fault === undefined || fault.isApplied ? items.map(apply) : [];
    // What has its answer, or will have none, is held no longer: the sender may be faster than the end of a connection.
    if (fault?.how !== 'hang') letGo();
    if (fault !== undefined) {
      spoil(response, fault);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers));
  }

  function note({ body: { key = '', n = 0 } }: BatchItem, items: number): void {
    arrivals.push({ n, atMs: performance.now(), items });
    if ((open.get(n) ?? 0) > 0) {
      findings.push(`${n} is held twice, first since ${Math.round(performance.now() - (since.get(n) ?? 0))} ms`);
    }
    since.set(n, performance.now());
    open.set(n, (open.get(n) ?? 0) + 1);
    const latest = highest.get(key) ?? 0;
    if (n < latest) findings.push(`${n} of ${key} came after ${latest}`);
    highest.set(key, Math.max(latest, n));
  }

  function apply(item: BatchItem): { status: number; body: unknown } {
    const answer = options.answerTo?.(item);
    const { n = 0 } = item.body;
    if (answer === undefined || answer.status < 300) effects.set(n, (effects.get(n) ?? 0) + 1);
    return answer ?? { status: 202, body: { id: `instance-${n}` } };
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');

  return {
    url: `http://127.0.0.1:${address.port}`,
    arrivals,
    /** How often each item had its effect, which is once for Portico. */
    effects,
    findings,
    requests: () => requests,
    /** The items that a request holds now. */
    open: (): number[] => [...open].filter(([, count]) => count > 0).map(([n]) => n),
    async close(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return '[]';
  }
  return Buffer.concat(chunks).toString();
}

function spoil(response: ServerResponse, { how }: RequestFault): void {
  switch (how) {
    case '503': {
      const { status, body } = problemOf(503, 'overloaded', true, { retryAfterMs: 100 });
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
      return;
    }
    case 'hang':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'long':
      response.writeHead(200, { 'content-type': 'application/json' }).end(`[${' '.repeat(10_000_000)}]`);
      return;
    case 'redirect':
      response.writeHead(307, { location: 'http://127.0.0.1:9/elsewhere' }).end();
      return;
  }
}
