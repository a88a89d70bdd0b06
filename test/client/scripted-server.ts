import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { problems } from '../../src/problem-table.ts';
import type { ProblemCode } from '../../src/problems.ts';

/** What becomes of one request. */
export type Step =
  /** The connection is cut: before an answer, or in the middle of one. */
  | 'cut'
  | 'cut-answer'
  /** Nothing ever comes. */
  | 'hang'
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** As JSON; a text as HTML. */
      readonly body?: unknown;
    };

export interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly atMs: number;
}

/** A problem as Portico answers it. */
export function problemStep(code: ProblemCode, more: Readonly<Record<string, unknown>> = {}): Step {
  const { status, title, ...verdict } = problems[code];
  const body = { type: `/problems/${code}`, title, status, code, instance: '/v1', ...verdict, ...more };
  return { status, headers: { 'Content-Type': 'application/problem+json' }, body };
}

/** What a gateway says in place of Portico. */
export const htmlStep = (status: number, headers: Readonly<Record<string, string>> = {}): Step => ({
  status,
  headers,
  body: '<html>Bad gateway</html>',
});

/**
 * A server whose first request gets the first step, and so on; the last step is that of all further ones. A step may depend
 * on its request.
 */
export async function startScriptedServer(...steps: readonly (Step | ((request: Received) => Step))[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method, url, headers } = request;
      const arrived = { method, url, headers, body, atMs: performance.now() };
      received.push(arrived);
      const step = steps[Math.min(received.length, steps.length) - 1] ?? 'hang';
      answer(response, typeof step === 'function' ? step(arrived) : step);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    received,
    /** The milliseconds between the first two requests. */
    gapMs: () => (received[1]?.atMs ?? NaN) - (received[0]?.atMs ?? NaN),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function answer(response: ServerResponse, step: Step): void {
  if (step === 'hang') return;
  if (step === 'cut') {
    response.destroy();
    return;
  }
  if (step === 'cut-answer') {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 100 });
    response.write('{"id":', () => response.destroy());
    return;
  }
  const { status, headers, body } = step;
  const type = typeof body === 'string' ? 'text/html' : 'application/json';
  response.writeHead(status, { ...(body === undefined ? {} : { 'Content-Type': type }), ...headers });
  response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
}
