import type { AddressInfo } from 'node:net';
import type { Config } from './config/config.ts';
import type { ProcessDefinition } from './definition/definition.ts';
import { createApp } from './http/app.ts';
import { longestAnswerMs, registerRoutes } from './http/routes.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { watchOpenInstances } from './observability/open-instances.ts';
import { operationsWith, permissionsOf } from './operations/index.ts';
import type { createConnection } from './orchestration/connection.ts';
import { createGateway } from './orchestration/gateway.ts';
import type { EagerStarts } from './orchestration/start.ts';
import type { Storage } from './storage.ts';
import { createVerificationKeys } from './tokens/keys.ts';

interface ApiRoleOptions {
  readonly config: Config;
  readonly definitions: readonly ProcessDefinition[];
  readonly storage: Storage;
  readonly connection: ReturnType<typeof createConnection>['connection'];
  readonly namespace: string;
  readonly eagerStarts?: EagerStarts | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly isDraining: () => boolean;
}

// Ten questions a second is all that Temporal allows for counts and lists together.
const countEveryMs = 15_000;

/** Serves HTTP. Resolves when the listener is open; Temporal and the database need not be there. */
export async function startApiRole(options: ApiRoleOptions) {
  const { config, definitions, logger, metrics, storage } = options;
  const { jwt, cursorSecret } = config;
  if (jwt === undefined || cursorSecret === undefined) throw new Error('the role of this process is without HTTP');
  const operations = operationsWith(definitions);
  const keys = createVerificationKeys({ jwt, logger });
  const deadlines = {
    startMs: config.temporal.startDeadlineMs,
    readMs: config.temporal.readDeadlineMs,
    actionMs: config.temporal.startDeadlineMs,
  };
  const gateway = createGateway({
    connection: options.connection,
    namespace: options.namespace,
    deadlines,
    cursorSecret: cursorSecret.reveal(),
    eagerStarts: options.eagerStarts,
  });
  const app = await createApp({
    logger,
    metrics,
    authentication: {
      issuer: jwt.issuer,
      audience: jwt.audience,
      algorithms: jwt.algorithms,
      keys,
      defaultTenant: config.defaultTenant,
      permissions: [...permissionsOf(operations)],
    },
    rateLimits: config.http.rateLimits,
    pressure: config.http.pressure,
    trustProxy: config.http.trustProxy,
    longestAnswerMs: longestAnswerMs({ deadlines, maxWaitMs: config.http.maxWaitMs }),
    isDraining: options.isDraining,
  });
  registerRoutes(app, operations, {
    services: {
      ...storage.adapters,
      gateway,
      countStart: metrics.countStart,
    },
    deadlines,
    maxWaitMs: config.http.maxWaitMs,
  });
  await app.listen({ host: config.http.host, port: config.http.port });
  const { port } = app.server.address() as AddressInfo;
  const openInstances = watchOpenInstances({
    processes: definitions.map(({ name }) => name),
    count: gateway.countOpen,
    set: metrics.setOpenInstances,
    everyMs: countEveryMs,
    logger,
  });

  return {
    url: `http://${config.http.host.includes(':') ? `[${config.http.host}]` : config.http.host}:${port}`,
    checks: { temporal: gateway.check, keys: keys.check },

    /** Lets requests in flight end, at most as long as the configuration says. Rejects where some had to be cut. */
    async stop(): Promise<void> {
      openInstances.stop();
      // Those who wait get what there is: 202.
      gateway.endWaits();
      const state = { wasCut: false };
      const cut = setTimeout(() => {
        state.wasCut = true;
        app.server.closeAllConnections();
      }, config.shutdown.httpCloseTimeoutMs);
      await app.close().finally(() => clearTimeout(cut));
      if (state.wasCut) throw new Error('requests had to be cut');
    },
  };
}
