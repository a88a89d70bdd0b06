import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type AppOptions, createApp } from '../../src/http/app.ts';
import { registerRoutes } from '../../src/http/routes.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { type Admission, createAdmission } from '../../src/overload/admission.ts';
import type { AuthenticationOptions } from '../../src/tokens/authentication.ts';
import { createVerificationKeys } from '../../src/tokens/keys.ts';
import { audience, createSigningKey, issuer, mintToken } from '../tokens/tokens.ts';
import { slowOperations, thingOperations } from './thing-operations.ts';

/** Signs the tokens of {@link startApp} unless a test brings keys of its own. */
export const appKey = createSigningKey('ES256');

const noLimits = { address: 0, refusals: 0, start: 0, action: 0, read: 0, list: 0 };
const noPressure = { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 0, maxRssBytes: 0 };

interface TestAppOptions extends Partial<Omit<AppOptions, 'authentication' | 'logger' | 'metrics'>> {
  readonly authentication?: Partial<AuthenticationOptions>;
  readonly level?: string;
  /** Served beside {@link thingOperations}. */
  readonly operations?: readonly Operation[];
  /** Decides which requests of all these operations get a turn; as usual unless told otherwise. */
  readonly admission?: Admission;
  /** How long the handlers of `operations` may take, in milliseconds. */
  readonly limitMs?: number;
  /** Adds routes that are no operations, for what holds of any route. */
  readonly routes?: (app: FastifyInstance) => void;
}

/** The app with a few operations, on a real listener, with its log in memory. */
export async function startApp(testOptions: TestAppOptions = {}) {
  const { authentication, level = 'info', operations = [], limitMs = 3_000, routes, ...others } = testOptions;
  const { admission = createAdmission({ countShed: () => undefined }), ...options } = others;
  const logText: string[] = [];
  const logger = createLogger({ level, destination: { write: (text: string) => logText.push(text) } });
  const metrics = createMetrics({ version: '0.0.0', role: 'api' });
  const app = await createApp({
    logger,
    metrics,
    trustProxy: [],
    corsOrigins: [],
    rateLimits: noLimits,
    pressure: noPressure,
    maxConnectionsPerAddress: 0,
    longestAnswerMs: 30_000,
    isDraining: () => false,
    ...options,
    authentication: {
      issuer,
      audience,
      algorithms: ['ES256'],
      keys: createVerificationKeys({
        jwt: { algorithms: ['ES256'], keys: { kind: 'public-key', pem: appKey.pem } },
        logger,
      }),
      defaultTenant: 'default',
      permissions: ['things:read', 'things:start', 'things:poke', 'things:rare'],
      ...authentication,
    },
  });
  const serve = (served: readonly Operation[], ownWorkMs: number) =>
    registerRoutes(app, served, { ...ofNoServices, admission, metrics, ownWorkMs });
  serve(thingOperations, 3_000);
  serve(slowOperations, 200);
  serve(operations, limitMs);
  app.get('/v1/things', { config: listThings }, ({ query }) => ({ query }));
  routes?.(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('the app has no port');
  const url = `http://127.0.0.1:${address.port}`;

  return {
    app,
    url,
    port: address.port,
    metrics,
    /** Everything logged so far. */
    log: () => logText.join(''),
    /** The lines about requests, parsed. */
    requestLines: () =>
      logText.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'request'),
    /** Sends a request as alice, unless `authorization` says otherwise; null for no such header. */
    async send(path: string, init: RequestInit & { authorization?: string | null } = {}) {
      const { authorization = `Bearer ${mintToken(appKey)}`, ...rest } = init;
      const headers = new Headers(rest.headers);
      if (authorization !== null) headers.set('Authorization', authorization);
      const response = await fetch(url + path, { ...rest, headers });
      return replyOf(response.status, response.headers, await response.text());
    },
    stop: () => app.close(),
  };
}

export type TestApp = Awaited<ReturnType<typeof startApp>>;

/** A reply with its body parsed, if it has one. */
export function replyOf(status: number, headers: Headers, text: string) {
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  return { status, headers, text, body: body as Record<string, unknown> };
}

export const jsonPost = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** No operation: it shows the query as the router reads it, before any schema. */
const listThings = { operationId: 'listThings', permission: 'things:read', cost: 'list', process: 'things' } as const;

/** None of the operations reaches further than its own handler. */
const ofNoServices = {
  services: {} as never,
  deadlines: { startMs: 0, readMs: 0, actionMs: 0 },
  maxWaitMs: 0,
};

/**
 * Writes the parts one after the other to a socket, each after its delay, and gives what came back until the other side
 * closed the connection, and how long that took.
 */
export async function rawExchange(
  port: number,
  parts: readonly (string | { afterMs: number; text: string })[],
): Promise<{ text: string; afterMs: number }> {
  const socket = connect(port, '127.0.0.1');
  const startedAt = performance.now();
  const received: Buffer[] = [];
  const isClosed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('data', (chunk) => received.push(chunk));
  socket.on('error', () => undefined);
  for (const part of parts) {
    if (typeof part === 'string') socket.write(part);
    else {
      await Promise.race([isClosed, new Promise((resolve) => setTimeout(resolve, part.afterMs))]);
      if (!socket.destroyed) socket.write(part.text);
    }
  }
  await isClosed;
  return { text: Buffer.concat(received).toString(), afterMs: performance.now() - startedAt };
}

/** One HTTP/1.1 response taken from the bytes of a connection, and what follows it. */
export function parseResponse(text: string) {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = Number(headers.get('content-length'));
  const body = text.slice(end + 4, end + 4 + length);
  return { ...replyOf(Number(statusLine.split(' ')[1]), headers, body), rest: text.slice(end + 4 + length) };
}
