import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../../src/worker/free-port.ts';
import { leashOf } from '../harness/leash.ts';
import { isRunnable } from './is-runnable.ts';

export type PostgresCluster = Awaited<ReturnType<typeof startPostgres>>;

/** The folder of PostgreSQL's programs, or why none is used. */
export const postgresBinaries = findBinaries();

/**
 * The reason to skip tests that need a real PostgreSQL; `undefined` when they can run. Where CI is set there is no
 * skipping: the reason becomes a failure.
 */
export function postgresSkipReason(): string | undefined {
  if (postgresBinaries !== undefined) return undefined;
  const reason = 'no PostgreSQL programs on PATH, in /usr/lib/postgresql or PORTICO_TEST_PG_BIN';
  if (process.env.CI === 'true') throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

/** A private cluster in a temporary folder on a free port of 127.0.0.1. Everybody is let in, as `postgres`. */
export async function startPostgres() {
  if (postgresBinaries === undefined) throw new Error('PostgreSQL was not found');
  const binaries = postgresBinaries;
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), 'portico-pg-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const initialized = spawnSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...user, cwd: folder, encoding: 'utf8' },
  );
  if (initialized.status !== 0) throw new Error(`initdb failed: ${initialized.stderr}`);
  const port = await freePort();
  const urlOf = (database: string, role = 'postgres') =>
    `postgres://${role}@127.0.0.1:${port}/${database}?sslmode=disable`;
  let server = spawnServer();
  await answering(server);

  function spawnServer(): ChildProcess {
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=${folder}`,
      'max_connections=200',
      // What is tested is the death of the process, not of the machine.
      'fsync=off',
      'log_min_messages=fatal',
    ];
    const child = spawn(join(binaries, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
      ...user,
      cwd: folder,
      stdio: 'ignore',
    });
    if (child.pid !== undefined) child.once('exit', leashOf(child.pid, 'QUIT'));
    return child;
  }

  async function answering(child: ChildProcess): Promise<void> {
    while (child.exitCode === null) {
      if (await isAnswering(urlOf('postgres'))) return;
      await sleep(20);
    }
    throw new Error(`postgres ended with ${child.exitCode}`);
  }

  return {
    port,
    urlOf,
    /** Makes an empty database and answers its name. */
    async createDatabase(): Promise<string> {
      const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
      await withClient(urlOf('postgres'), (client) => client.query(`create database ${name}`));
      return name;
    },
    /** Ends the server as a crash would; the next `restart` recovers it. */
    async kill(): Promise<void> {
      const exit = once(server, 'exit');
      server.kill('SIGKILL');
      await exit;
    },
    async restart(): Promise<void> {
      // Backends of the killed server hold its memory until they notice.
      for (;;) {
        try {
          server = spawnServer();
          await answering(server);
          return;
        } catch {
          await sleep(50);
        }
      }
    },
    async stop(): Promise<void> {
      if (server.exitCode === null && server.signalCode === null) {
        const exit = once(server, 'exit');
        server.kill('SIGQUIT');
        await exit;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs `work` on a connection of its own, away from every pool. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function isAnswering(url: string): Promise<boolean> {
  try {
    await withClient(url, (client) => client.query('select 1'));
    return true;
  } catch {
    return false;
  }
}

function findBinaries(): string | undefined {
  const installed = '/usr/lib/postgresql';
  const versions = listOf(installed).sort((a, b) => Number(b) - Number(a));
  const folders = [
    process.env.PORTICO_TEST_PG_BIN ?? '',
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(installed, version, 'bin')),
  ];
  return folders.find(
    (folder) => folder !== '' && ['initdb', 'postgres'].every((name) => isRunnable(join(folder, name))),
  );
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** PostgreSQL refuses to run as root; `undefined` for anybody else. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = ['postgres', 'nobody'].map((name) => users.find(([its]) => its === name)).find((found) => found);
  if (user === undefined) throw new Error('no unprivileged user to run PostgreSQL as');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
