import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { developmentAudience, developmentIssuer, developmentKey } from '../../local/development-key.ts';
import { defaultsFor } from '../../local/plan.ts';
import { provide } from '../../local/provide.ts';
import { catalog } from '../../src/catalog/index.ts';
import type { ProcessDefinition } from '../../src/definition/definition.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { operationsWith, permissionsOf } from '../../src/operations/index.ts';
import { run } from '../../src/service.ts';
import { parcelsV1, probesV1 } from '../fixtures/probes.ts';
import { sharedBundle } from '../servers/bundles.ts';
import { layEmbeddedDatabase } from '../servers/embedded.ts';
import { temporalAddress } from '../servers/temporal.ts';
import { createCaller } from './caller.ts';
import { silentLogger } from './silent-logger.ts';
import { until } from './until.ts';

/** Processes for tests: openapi.yaml does not know them. */
const testDefinitions = [probesV1, parcelsV1];

const testWorkflows = fileURLToPath(new URL('../fixtures/workflows.ts', import.meta.url));

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
    // A slow machine is no outage.
    PORTICO_START_DEADLINE: '25s',
    PORTICO_READ_DEADLINE: '25s',
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
    endpointKeys: environment['DATABASE_URL'] === undefined && environment['PORTICO_ENDPOINTS_KEYS'] === undefined,
  };
  const isWorking = ['all', 'worker', undefined].includes(environment['ROLE']);
  if (isWorking) environment['PORTICO_WORKFLOW_BUNDLE'] ??= (await sharedBundle(testWorkflows)).codePath;
  if (missing.database) await layEmbeddedDatabase(join(stateDir, 'database'));
  // As `npm start` provides them.
  const provided = await provide({ missing, stateDir, environment: {}, log: () => undefined, logger: silentLogger });
  const allPermissions = [...permissionsOf(operationsWith(definitions))];
  const settings = { ...defaultsFor(missing), ...environment, ...provided.environment };
  const running = await run(settings, {
    definitions,
    launchQueue: `launches-${digestOf(stateDir)}`,
    logger: createLogger({
      level: environment.LOG_LEVEL,
      ...(options.logLines === undefined ? {} : { destination: { write: (line) => options.logLines?.push(line) } }),
    }),
  }).catch(async (error: unknown) => {
    await provided.stop();
    throw error;
  });
  const tenant = unique('tenant');

  const { PORTICO_JWT_ISSUER: issuer = developmentIssuer, PORTICO_JWT_AUDIENCE: audience = developmentAudience } =
    environment;
  const caller = createCaller({
    key: () => {
      const { PORTICO_JWT_SECRET: secret } = environment;
      return secret === undefined ? developmentKey(stateDir) : Buffer.from(secret);
    },
    issuer,
    audience,
    tenant,
    permissions: allPermissions,
    unlisted: foreign.map(({ collection }) => collection),
  });

  return {
    ...running,
    stateDir,
    /** As it serves them: on task queues of its own. */
    definitions,
    tenant,
    tokenFor: caller.tokenFor,
    ...caller.at(running.url),
    /** The admin listener's text. */
    admin: async (path: string) => {
      const response = await fetch(new URL(path, running.adminUrl));
      return { status: response.status, text: await response.text() };
    },
    /** Resolves once everything it needs is there, its workers included. */
    untilReady: async (): Promise<void> => {
      const healthz = new URL('/healthz', running.adminUrl);
      await until(
        async () => (await fetch(healthz)).text(),
        (text) => text.includes('"status":"healthy"'),
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
