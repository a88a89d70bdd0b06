import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { provideTemporalCli } from '../local/temporal/cli.ts';
import { startDevServer } from '../local/temporal/dev-server.ts';
import { freePort } from '../src/worker/free-port.ts';
import { postgresBinaries, startPostgres } from '../test/servers/postgres.ts';

const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Throws unless the image, without Temporal and database, ends with an error that names both settings. */
export async function refuseWithoutSettings(image: string): Promise<void> {
  const { ended, printed } = start(image, {});
  const code = await ended;
  if (code !== 1 || !/TEMPORAL_ADDRESS/.test(printed()) || !/DATABASE_URL/.test(printed())) {
    throw new Error(`without settings it must say what is missing, not end with ${String(code)}: ${printed()}`);
  }
  console.log(`Without settings it ends with: ${printed().trim()}`);
}

/** Starts the program, waits until it is ready, sends a few requests, and ends it. Throws unless it ends with 0. */
export async function serveOnce(image: string, logFolder: string): Promise<void> {
  if (postgresBinaries === undefined) {
    console.log('NOT RUN: it was not started, since no PostgreSQL is installed.');
    return;
  }
  const cliPath = await provideTemporalCli({ environment: process.env, log: console.log });
  const logFile = join(logFolder, 'temporal.log');
  const temporal = await startDevServer({ cliPath, port: await freePort(), logFile });
  const postgres = await startPostgres();
  try {
    makeRoles(postgres.port);
    const DATABASE_URL = postgres.urlOf('portico', 'portico');
    await migrateWith(image, { DATABASE_URL, DATABASE_OWNER_URL: postgres.urlOf('portico', 'portico_owner') });
    await serveWith(image, { TEMPORAL_ADDRESS: temporal.address, DATABASE_URL });
  } finally {
    await postgres.stop();
    await temporal.end();
  }
}

/** Prepares PostgreSQL as compose.yaml does. */
function makeRoles(port: number): void {
  execFileSync(join(import.meta.dirname, '../deploy/postgres-roles.sh'), {
    env: {
      PATH: `${postgresBinaries ?? ''}:${process.env['PATH'] ?? ''}`,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PORTICO_OWNER_PASSWORD: 'owner',
      PORTICO_PROGRAM_PASSWORD: 'program',
      TEMPORAL_PASSWORD: 'temporal',
    },
  });
}

/** Runs the image's migrate command, as compose.yaml does. */
async function migrateWith(image: string, urls: Record<string, string>): Promise<void> {
  const { ended, printed } = start(image, urls, ['migrate']);
  if ((await ended) !== 0) throw new Error(`it did not migrate: ${printed()}`);
  console.log('Migrated, by the command `migrate`.');
}

async function serveWith(image: string, services: Record<string, string>): Promise<void> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const { child, ended, printed } = start(image, {
    ...services,
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    PORTICO_JWT_SECRET: 'a secret for the rehearsal alone, long enough',
    PORTICO_JWT_ISSUER: 'rehearsal',
    PORTICO_JWT_AUDIENCE: 'portico',
    PORTICO_CURSOR_SECRET: 'another secret for the rehearsal alone, long',
    PORTICO_DRAIN_DELAY: '0s',
  });
  const startedAt = Date.now();
  while (!(await isHealthy(`http://127.0.0.1:${adminPort}/healthz`))) {
    if (child.exitCode !== null || Date.now() - startedAt > 30_000) {
      child.kill('SIGKILL');
      throw new Error(`it did not become ready: ${printed()}`);
    }
    await sleep(50);
  }
  const user = 'uid' in unprivileged ? 'nobody' : 'you';
  console.log(`Ready after ${Date.now() - startedAt} ms, as ${user}, in a folder that cannot be written to.`);
  console.log(`  resident memory: ${residentMebibytes(child.pid)} MiB`);
  console.log(`  the command of HEALTHCHECK ends with ${String(healthCheck(image, adminPort))}`);
  const answer = await fetch(`http://127.0.0.1:${port}/v1/transfers/x`);
  console.log(`  GET /v1/transfers/x without token: ${answer.status}`);
  child.kill('SIGTERM');
  const code = await ended;
  console.log(`  SIGTERM: exit code ${String(code)}`);
  if (code !== 0) throw new Error(printed());
}

function start(image: string, given: Record<string, string>, args: readonly string[] = []) {
  const child = spawn(process.execPath, ['dist/src/main.js', ...args], {
    cwd: image,
    env: environmentOf(image, given),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...unprivileged,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, printed: () => printed };
}

/** The ENV of the Dockerfile, overridden by the given variables. */
const environmentOf = (image: string, given: Record<string, string>) => ({
  PATH: process.env['PATH'] ?? '',
  NODE_ENV: 'production',
  HOST: '0.0.0.0',
  ADMIN_HOST: '0.0.0.0',
  PORTICO_WORKFLOW_BUNDLE: join(image, 'dist/workflow-bundle.js'),
  NODE_OPTIONS: '--max-old-space-size=768',
  ...given,
});

/** Runs the command that the Dockerfile names. */
function healthCheck(image: string, adminPort: number): number | null {
  const dockerfile = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8');
  const text = /^HEALTHCHECK[^]*?CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '';
  const [, ...args] = z.array(z.string()).parse(JSON.parse(text));
  const env = environmentOf(image, { ADMIN_PORT: String(adminPort) });
  return spawnSync(process.execPath, args, { env, ...unprivileged }).status;
}

const isHealthy = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (answer) => (await answer.text()).includes('"status":"healthy"'),
    () => false,
  );

const residentMebibytes = (pid = 0): number =>
  Math.round(Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024);
