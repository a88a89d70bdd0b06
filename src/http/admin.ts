import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { mergeExpositions } from '../observability/exposition.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { refuseWrongHost } from './host-header.ts';
import { listen } from './listen.ts';
import { type CheckReport, createReadiness, type ReadinessCheck } from './readiness.ts';
import { createServer } from './server.ts';
import { refuseUnknownRoutes } from './unknown-routes.ts';

export interface AdminOptions {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'text'>;
  /** What this process depends on, in the order in which `/healthz` shows it. It may grow while the process starts. */
  readonly checks: readonly ReadinessCheck[];
  /** What `/readyz` and `/healthz` say about the process, such as its role. */
  readonly facts: Readonly<Record<string, string>>;
  /** True once the process is asked to stop. */
  readonly isDraining: () => boolean;
  /** Where the Temporal SDK offers its own metrics on this machine; none without a worker. */
  readonly coreMetricsUrl?: string | undefined;
}

const textFormat = 'text/plain; version=0.0.4; charset=utf-8';

/** How long a scrape waits for the SDK's metrics, in milliseconds. */
const coreTimeoutMs = 1_000;

/**
 * The operators' listener: `/livez` says whether the process runs and depends on nothing; `/readyz` whether this role can
 * take work; `/healthz` which dependencies are missing and what to do, with 503 only where one that `?require=` names is
 * not there; `/metrics` what it did. It asks for no token: keep its port to yourself.
 */
export function createAdmin(options: AdminOptions): FastifyInstance {
  const app = createServer({ logger: options.logger, quietMs: 35_000, maxBodyBytes: 1_024 });
  const guards = [refuseUnknownRoutes(app), refuseWrongHost];
  app.addHook('onRequest', (request, _reply, done) => {
    for (const guard of guards) guard(request);
    done();
  });

  const health = createReadiness(() => options.checks);
  // A dependency that hangs must not hold this answer up where the role can work without it.
  const readiness = createReadiness(() => options.checks.filter(({ isNeededToServe }) => isNeededToServe));
  app.get('/livez', () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const checks = await readiness();
    const isDraining = options.isDraining();
    const isReady = !isDraining && checks.every(({ status }) => status === 'ok');
    return reply
      .code(isReady ? 200 : 503)
      .send({ status: isReady ? 'ready' : isDraining ? 'draining' : 'not-ready', ...options.facts, checks });
  });
  app.get('/healthz', async ({ url }, reply) => {
    const checks = await health();
    const isHealthy = checks.every(({ status }) => status === 'ok');
    return reply
      .code(requiredBy(url).every((name) => isOk(checks, name)) ? 200 : 503)
      .send({ status: isHealthy ? 'healthy' : 'unhealthy', ...options.facts, checks });
  });
  app.get('/metrics', async (_request, reply) => {
    const [own, core] = await Promise.all([options.metrics.text(), coreMetrics(options.coreMetricsUrl)]);
    return reply.type(textFormat).send(mergeExpositions(own, core));
  });
  return app;
}

/** The names in `?require=database,temporal`. */
const requiredBy = (url: string): readonly string[] =>
  new URL(url, 'http://admin').searchParams.getAll('require').flatMap((names) => names.split(','));

/** False for a name that is none, so that a probe with a wrong one never passes. */
const isOk = (checks: readonly CheckReport[], wanted: string): boolean =>
  checks.some(({ name, status }) => name === wanted && status === 'ok');

/** Opens the operators' listener. It is the first to start and the last to stop. */
export async function startAdminListener({
  config,
  coreMetricsPort,
  ...options
}: Omit<AdminOptions, 'coreMetricsUrl'> & { config: Config; coreMetricsPort: number | undefined }) {
  const app = createAdmin({
    ...options,
    coreMetricsUrl: coreMetricsPort === undefined ? undefined : `http://127.0.0.1:${coreMetricsPort}/metrics`,
  });
  return {
    url: await listen(app, config.admin),
    stop: (): Promise<void> => app.close(),
  };
}

/** What the SDK offers, or nothing: a scrape without it is better than none. */
async function coreMetrics(url: string | undefined): Promise<string> {
  if (url === undefined) return '';
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(coreTimeoutMs) });
    return response.ok ? await response.text() : '';
  } catch {
    return '';
  }
}
