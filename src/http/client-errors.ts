import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Problem, type ProblemCode } from '../problems.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { renderProblem } from './error-handler.ts';
import { factsOf } from './request-facts.ts';
import { pathOf } from './request-target.ts';
import { securityHeaders } from './security-headers.ts';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What is the matter with bytes that Node's HTTP parser gave up on. */
const codeOf = (error: { readonly code?: string }): ProblemCode => {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request-timeout';
    case 'HPE_HEADER_OVERFLOW':
      return 'headers-too-large';
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'body-too-large';
    default:
      return 'malformed-request';
  }
};

/** Answers requests that never become one, or that stop arriving half-way, with a problem, and closes the connection. */
export function createClientErrors(
  metrics: Pick<Metrics, 'observeRequest'>,
  logger: Pick<Logger, 'info'>,
  crossOrigin?: CrossOrigin,
) {
  const exchanges = new WeakMap<Socket, Exchange>();

  function refuse(socket: Socket, code: ProblemCode): void {
    const { status, headers, text } = renderProblem(new Problem(code), '/');
    const requestId = randomUUID();
    const lines = Object.entries({
      ...securityHeaders,
      ...headers,
      'Content-Length': Buffer.byteLength(text),
      'X-Request-Id': requestId,
    });
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      ...lines.map(([name, value]) => `${name}: ${value}`),
    ];
    socket.end(`${head.join('\r\n')}\r\nConnection: close\r\n\r\n${text}`, () => socket.destroy());
    logger.info({ requestId, status, problem: code }, 'request');
    metrics.observeRequest({ method: 'none', route: 'none', status, seconds: 0 });
  }

  function refuseRest({ request, response }: Exchange, socket: Socket, code: ProblemCode): void {
    const { status, headers, text } = renderProblem(new Problem(code), pathOf(request.url ?? '/'));
    response.writeHead(status, {
      ...securityHeaders,
      ...crossOrigin?.headersFor(request.headers.origin),
      ...headers,
      'Content-Length': Buffer.byteLength(text),
      'X-Request-Id': factsOf(request).id,
      Connection: 'close',
    });
    response.end(text, () => socket.destroy());
  }

  return {
    /** Remembers which answer is under way on a connection. To be called once the app has its server. */
    watch: ({ server }: FastifyInstance): void => {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        exchanges.set(request.socket, { request, response });
      });
    },
    handle: (error: Error & { readonly code?: string }, socket: Socket): void => {
      const exchange = exchanges.get(socket);
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      else if (exchange === undefined || exchange.response.writableFinished) refuse(socket, codeOf(error));
      // What cannot be understood came after a whole request: that one still gets its own answer.
      else if (exchange.request.complete) exchange.response.once('close', () => socket.destroy());
      else if (!exchange.response.headersSent) refuseRest(exchange, socket, codeOf(error));
      else socket.destroy();
    },
  };
}
