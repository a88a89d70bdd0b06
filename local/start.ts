import { catalog } from '../src/catalog/index.ts';
import { type Config, ConfigError, parseConfig } from '../src/config/config.ts';
import { run } from '../src/main.ts';
import { operations, permissionsOf } from '../src/operations/index.ts';
import { listenErrorOf } from '../src/worker/free-port.ts';
import { signDevelopmentToken } from './development-token.ts';
import { greetingFor } from './greeting.ts';
import { provideTemporal, StateFolderInUseError } from './temporal/server.ts';

/** A reason not to start that a person can do something about. */
class StartError extends Error {
  override readonly name = 'StartError';
}

const say = (line: string) => console.log(line);

process.exit(await start(stopSignal()));

/** Runs Portico, and the Temporal server it needs, until it is told to stop. Resolves with the exit code. */
async function start(signal: AbortSignal): Promise<number> {
  try {
    const config = parseConfig(process.env, catalog);
    await refuseTakenPorts(config);
    return config.temporal.isGiven ? await serve(config, signal) : await serveWithTemporal(config, signal);
  } catch (error) {
    // Told to stop while something was being installed or started.
    if (signal.aborted && error instanceof Error && error.name === 'AbortError') return 0;
    const isPlain = error instanceof ConfigError || error instanceof StateFolderInUseError;
    console.error(isPlain || error instanceof StartError ? error.message : error);
    return 1;
  }
}

async function serveWithTemporal(config: Config, signal: AbortSignal): Promise<number> {
  const temporal = await provideTemporal({ stateDir: config.stateDir, environment: process.env, log: say, signal });
  try {
    return await serve(config, signal, temporal);
  } finally {
    await temporal.stop();
  }
}

async function serve(
  config: Config,
  signal: AbortSignal,
  temporal?: { address: string; uiAddress?: string },
): Promise<number> {
  const running = await run(process.env, temporal && { temporalAddress: temporal.address });
  try {
    if (!signal.aborted) {
      const { url, adminUrl } = running;
      const token = config.isEmbedded ? await tokenFor(config.stateDir) : undefined;
      say(greetingFor({ url, adminUrl, temporalUi: temporal?.uiAddress, token }));
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }
  } finally {
    process.exitCode = await running.stop();
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
