import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { SignJWT } from 'jose';
import { developmentAudience, developmentIssuer, developmentKey } from '../../local/development-key.ts';
import { defaultsFor } from '../../local/plan.ts';
import { provide } from '../../local/provide.ts';
import { catalog } from '../../src/catalog/index.ts';
import type { ProcessDefinition } from '../../src/definition/definition.ts';
import { run } from '../../src/main.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { operationsWith, permissionsOf } from '../../src/operations/index.ts';
import { parcelsV1, probesV1 } from '../fixtures/probes.ts';
import { layEmbeddedDatabase } from '../servers/embedded.ts';
import { temporalAddress } from '../servers/temporal.ts';
import { checkAgainstOpenApi } from './openapi.ts';
import { silentLogger } from './silent-logger.ts';

/** Processes for tests: openapi.yaml does not know them. */
const testDefinitions = [probesV1, parcelsV1];

interface TokenOptions {
  readonly subject?: string;
  readonly tenant?: string;
  /** Default: every permission there is. */
  readonly permissions?: readonly string[];
  /** Replace or add to what a token says, its times included. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

interface RequestOptions extends TokenOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of a token made from the other options; null for none. */
  readonly token?: string | null;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers whose shape openapi.yaml has vouched for.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

/** A name nobody else uses: tests share one Temporal server and keep apart by tenant and key. */
export const unique = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 13)}`;

/**
 * A whole Portico in this process: a real listener, the embedded database in a folder of its own, the test run's
 * Temporal server, and workers that know the process for tests as well. Those with one state folder work together.
 */
export async function startPortico(
  options: {
    environment?: Record<string, string>;
    temporalAddress?: string;
    logLines?: string[];
    stateDir?: string;
    /** Beside those of the catalog and those for tests. */
    definitions?: readonly ProcessDefinition[];
  } = {},
) {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'portico-test-'));
  const environment: Record<string, string> & { LOG_LEVEL: string } = {
    PORT: '0',
    ADMIN_PORT: '0',
    TEMPORAL_ADDRESS: options.temporalAddress ?? temporalAddress(),
    PORTICO_DRAIN_DELAY: '0s',
    // The callers of a test burn the same event loop.
    PORTICO_MAX_EVENT_LOOP_DELAY: '0s',
    PORTICO_MAX_EVENT_LOOP_UTILIZATION: '0',
    LOG_LEVEL: options.logLines === undefined ? 'silent' : 'info',
    ...options.environment,
  };
  const foreign = [...testDefinitions, ...(options.definitions ?? [])];
  // Workers of other Porticos on the same server have other databases.
  const definitions = [...catalog, ...foreign].map((definition) => ({
    ...definition,
    taskQueue: `${definition.taskQueue}-${digestOf(stateDir)}`,
  }));
  const missing = {
    temporal: false,
    database: environment['DATABASE_URL'] === undefined,
    developmentKey: !Object.keys(environment).some((name) => name.startsWith('PORTICO_JWT_')),
    cursorSecret: !Object.keys(environment).some((name) => name.startsWith('PORTICO_CURSOR_SECRET')),
  };
  if (missing.database) await layEmbeddedDatabase(join(stateDir, 'database'));
  // As `npm start` provides them.
  const provided = await provide({ missing, stateDir, environment: {}, log: () => undefined, logger: silentLogger });
  const allPermissions = [...permissionsOf(operationsWith(definitions))];
  const settings = { ...defaultsFor(missing), ...environment, ...provided.environment };
  const running = await run(settings, {
    definitions,
    workflowsPath: fileURLToPath(new URL('../fixtures/workflows.ts', import.meta.url)),
    logger: createLogger({
      level: environment.LOG_LEVEL,
      ...(options.logLines === undefined ? {} : { destination: { write: (line) => options.logLines?.push(line) } }),
    }),
  }).catch(async (error: unknown) => {
    await provided.stop();
    throw error;
  });
  const tenant = unique('tenant');

  const { PORTICO_JWT_ISSUER: iss = developmentIssuer, PORTICO_JWT_AUDIENCE: aud = developmentAudience } = environment;

  function tokenFor(given: TokenOptions = {}): Promise<string> {
    const { subject: sub = 'alice', tenant: other = tenant, permissions = allPermissions, claims } = given;
    const iat = Math.floor(Date.now() / 1_000);
    const { PORTICO_JWT_SECRET: secret } = environment;
    return new SignJWT({ iss, aud, sub, iat, exp: iat + 3_600, tenant: other, permissions, ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secret === undefined ? developmentKey(stateDir) : Buffer.from(secret));
  }

  /** Sends a request, and holds the exchange against openapi.yaml. */
  async function request(method: string, path: string, given: RequestOptions = {}): Promise<Reply> {
    const token = given.token === undefined ? await tokenFor(given) : given.token;
    const response = await fetch(new URL(path, running.url), {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...given.headers,
      },
      ...(given.body === undefined
        ? {}
        : { body: typeof given.body === 'string' ? given.body : JSON.stringify(given.body) }),
    });
    const text = await response.text();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const pathname = path.split('?')[0] ?? '';
    if (!foreign.some(({ collection }) => pathname.split('/')[2] === collection)) {
      checkAgainstOpenApi({
        method,
        path: pathname,
        requestBody: given.body,
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
        headers: response.headers,
        body,
      });
    }
    return { status: response.status, headers: response.headers, body };
  }

  return {
    ...running,
    stateDir,
    tenant,
    tokenFor,
    request,
    get: (path: string, given?: RequestOptions) => request('GET', path, given),
    post: (path: string, body: unknown, given?: RequestOptions) => request('POST', path, { ...given, body }),
    put: (path: string, body: unknown, given?: RequestOptions) => request('PUT', path, { ...given, body }),
    /** The admin listener's text. */
    admin: async (path: string) => {
      const response = await fetch(new URL(path, running.adminUrl));
      return { status: response.status, text: await response.text() };
    },
    /** Resolves once everything it needs is there, its workers included. */
    untilReady: async (): Promise<void> => {
      const readyz = new URL('/readyz', running.adminUrl);
      await eventually(
        async () => (await fetch(readyz)).status,
        (status) => status === 200,
        30_000,
      );
    },
    async stop(): Promise<number> {
      const code = await running.stop();
      await provided.stop();
      if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
      return code;
    },
  };
}

export type Portico = Awaited<ReturnType<typeof startPortico>>;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Nobody listens here. */
const nowhere = '127.0.0.1:1';

/**
 * A Portico that serves HTTP alone, beside whatever else runs in this process. Unless told otherwise it reaches neither
 * Temporal nor a database.
 */
export const startApi = ({ environment, ...options }: NonNullable<Parameters<typeof startPortico>[0]> = {}) => {
  const temporal = environment?.['TEMPORAL_ADDRESS'] ?? options.temporalAddress ?? nowhere;
  return startPortico({
    ...options,
    temporalAddress: temporal,
    environment: {
      ROLE: 'api',
      TEMPORAL_ADDRESS: temporal,
      DATABASE_URL: `postgres://portico@${nowhere}/portico`,
      PORTICO_JWT_ISSUER: 'https://issuer.example',
      PORTICO_JWT_AUDIENCE: 'portico',
      PORTICO_JWT_SECRET: randomUUID() + randomUUID(),
      PORTICO_CURSOR_SECRET: randomUUID() + randomUUID(),
      PORTICO_DRAIN_DELAY: '0s',
      ...environment,
    },
  });
};

/** Asks until `isDone` of the reply, at most ten seconds long. */
export async function eventually<T>(
  ask: () => Promise<T>,
  isDone: (answer: T) => boolean,
  withinMs = 10_000,
): Promise<T> {
  const endsAt = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    if (Date.now() > endsAt)
      throw new Error(`did not become true in ${withinMs} ms; last: ${inspect(answer, { depth: 4 })}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
