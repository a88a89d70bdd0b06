import { catalog } from '../src/catalog/index.ts';
import { type Config, ConfigError, readEnvironment } from '../src/config/config.ts';
import { createLogger } from '../src/observability/logger.ts';
import { operations, permissionsOf } from '../src/operations/index.ts';
import { run } from '../src/service.ts';
import { listenErrorOf } from '../src/worker/free-port.ts';
import { signDevelopmentToken } from './development-token.ts';
import { greetingFor } from './greeting.ts';
import { givenDatabaseOf, migrateGiven } from './migrate-given.ts';
import { type Plan, planFor } from './plan.ts';
import { provide } from './provide.ts';
import { StartError } from './start-error.ts';

const say = (line: string) => console.log(line);

process.exit(await start(stopSignal()));

/** Runs Portico, and what it needs beside it, until it is told to stop. Resolves with the exit code. */
async function start(signal: AbortSignal): Promise<number> {
  try {
    const plan = planFor(readEnvironment(), catalog);
    await refuseTakenPorts(plan.config);
    return await serve(plan, signal);
  } catch (error) {
    // Told to stop while something was being installed or started.
    if (signal.aborted && error instanceof Error && error.name === 'AbortError') return 0;
    console.error(error instanceof ConfigError || error instanceof StartError ? error.message : error);
    return 1;
  }
}

async function serve(plan: Plan, signal: AbortSignal): Promise<number> {
  const { missing, settings, environment, config } = plan;
  const givenDatabase = givenDatabaseOf(plan);
  const stateDir = settings.PORTICO_STATE_DIR;
  const logger = createLogger({ level: config.logLevel });
  const provided = await provide({
    missing,
    stateDir,
    environment: readEnvironment(),
    port: settings.TEMPORAL_DEV_PORT,
    log: say,
    logger,
    signal,
  });
  const migration = givenDatabase === undefined ? undefined : migrateGiven(givenDatabase, logger);
  try {
    const running = await run({ ...environment, ...provided.environment }, { logger });
    try {
      if (!signal.aborted) {
        const { url, adminUrl } = running;
        const token = missing.developmentKey ? await tokenFor(stateDir) : undefined;
        const docsUrl = url === undefined || config.http.docs !== 'public' ? undefined : `${url}/docs`;
        say(greetingFor({ url, adminUrl, docsUrl, temporalUi: provided.temporalUi, token }));
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      }
    } finally {
      process.exitCode = await running.stop();
    }
  } finally {
    await migration?.stop();
    await provided.stop();
  }
  return process.exitCode;
}

function tokenFor(stateDir: string): Promise<string> {
  const permissions = [...permissionsOf(operations)].sort();
  return signDevelopmentToken(stateDir, {
    subject: 'alice',
    tenant: 'acme',
    permissions,
    lifetimeSeconds: 12 * 3_600,
  });
}

/**
 * Aborts at the first SIGINT or SIGTERM, and when the npm that started this is gone: nobody would find a program left
 * behind. Further signals change nothing, so that what runs can end in order.
 */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const stopFor = (reason: string) => {
    say(stop.signal.aborted ? `${reason}: already stopping.` : `${reason}: stopping.`);
    stop.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopFor(name));
  if (process.env['npm_lifecycle_event'] === 'start') {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      stopFor('npm is gone');
    }, 1_000);
    watch.unref();
  }
  return stop.signal;
}

async function refuseTakenPorts({ http, admin }: Config): Promise<void> {
  for (const [name, { port, host }] of Object.entries({ PORT: http, ADMIN_PORT: admin })) {
    const code = await listenErrorOf(port, host);
    if (code === undefined) continue;
    const reason = code === 'EADDRINUSE' ? 'is already in use' : `cannot be listened on (${code})`;
    throw new StartError(
      `Port ${port} of ${host} ${reason}: set ${name} to another. For a second copy beside a first one set PORT, ADMIN_PORT and PORTICO_STATE_DIR.`,
    );
  }
}
