import { permanentRowsIn } from './adapters/index.ts';
import type { Config } from './config/config.ts';
import type { ProcessDefinition } from './definition/definition.ts';
import { createApp } from './http/app.ts';
import { serveFrontPage } from './http/front-page.ts';
import { listen } from './http/listen.ts';
import type { ReadinessCheck } from './http/readiness.ts';
import { longestAnswerMs, registerRoutes } from './http/routes.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { watchOpenInstances } from './observability/open-instances.ts';
import { operationsWith, permissionsOf } from './operations/index.ts';
import type { Deadlines } from './orchestration/calls.ts';
import type { Gateway } from './orchestration/gateway.ts';
import { createAdmission } from './overload/admission.ts';
import type { Storage } from './storage.ts';
import { createVerificationKeys } from './tokens/keys.ts';
import type { VerificationKeys } from './tokens/verification-keys.ts';
import { version } from './version.ts';

interface ApiRoleOptions {
  readonly config: Config;
  readonly definitions: readonly ProcessDefinition[];
  readonly storage: Storage;
  readonly gateway: Gateway;
  /** Those of the gateway: answers take as long. */
  readonly deadlines: Deadlines;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly isDraining: () => boolean;
}

// Temporal allows ten counts and lists a second in all.
const countEveryMs = 60_000;

/** Serves HTTP. Resolves when the listener is open; Temporal and the database need not be there. */
export async function startApiRole(options: ApiRoleOptions) {
  const { config, deadlines, definitions, gateway, logger, metrics, storage } = options;
  const { jwt } = config;
  if (jwt === undefined) throw new Error('a process that serves HTTP needs to know which tokens to accept');
  const operations = operationsWith(definitions);
  const keys = createVerificationKeys({ jwt, logger });
  const app = await createApp({
    logger,
    metrics,
    authentication: {
      ...{ issuer: jwt.issuer, audience: jwt.audience, algorithms: jwt.algorithms, keys },
      defaultTenant: config.defaultTenant,
      permissions: [...permissionsOf(operations)],
    },
    rateLimits: config.http.rateLimits,
    pressure: config.http.pressure,
    trustProxy: config.http.trustProxy,
    corsOrigins: config.http.corsOrigins,
    maxConnectionsPerAddress: config.http.maxConnectionsPerAddress,
    longestAnswerMs: longestAnswerMs({ deadlines, maxWaitMs: config.http.maxWaitMs }),
    isDraining: options.isDraining,
  });
  const admission = createAdmission({ countShed: metrics.countShed });
  metrics.watchAdmission(admission.read);
  registerRoutes(app, operations, {
    admission,
    metrics,
    services: {
      ...storage.adapters,
      permanentRows: permanentRowsIn(storage.adapters),
      gateway,
      settingsOf: config.settingsOf,
      catalog: definitions,
      countStart: metrics.countStart,
    },
    deadlines,
    maxWaitMs: config.http.maxWaitMs,
  });
  serveFrontPage(app, { readers: config.http.docs, operations, version });
  const url = await listen(app, config.http);
  const openInstances = watchOpenInstances({
    definitions,
    count: gateway.countOpen,
    setOpen: metrics.setOpenInstances,
    setWaiting: metrics.setWaitingInstances,
    everyMs: countEveryMs,
    logger,
  });

  return {
    url,
    check: keysCheckOf(keys),

    /** Lets requests in flight end, at most as long as the configuration says. Rejects where some had to be cut. */
    async stop(): Promise<void> {
      openInstances.stop();
      // Callers who wait get 202 now.
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

/** An issuer that goes away later is the same to all replicas: known keys serve on, and answers say what is away. */
function keysCheckOf(keys: VerificationKeys): ReadinessCheck {
  let wereThere = false;
  return {
    name: 'token-keys',
    async check() {
      await keys.check();
      wereThere = true;
    },
    get isNeededToServe() {
      return !wereThere;
    },
    remedy: 'see that PORTICO_JWT_JWKS_URL can be reached from here',
  };
}
