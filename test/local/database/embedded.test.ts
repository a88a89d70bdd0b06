import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as workerThreads from 'node:worker_threads';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openEmbeddedDatabase } from '../../../local/database/embedded.ts';
import { connectDatabase } from '../../../src/database/database.ts';
import { migrate } from '../../../src/database/migrate.ts';
import { silentLogger } from '../../harness/silent-logger.ts';
import { layEmbeddedDatabase } from '../../servers/embedded.ts';

const threads = vi.hoisted(() => [] as workerThreads.Worker[]);
// The real thing, but the test gets hold of each thread to end it.
vi.mock('node:worker_threads', async (importOriginal) => {
  const original = await importOriginal<typeof workerThreads>();
  class RememberedWorker extends original.Worker {
    constructor(...options: ConstructorParameters<typeof workerThreads.Worker>) {
      super(...options);
      threads.push(this);
    }
  }
  return { ...original, Worker: RememberedWorker };
});

const poolOn = (url: string) => connectDatabase({ url, poolMax: 1, connectTimeoutMs: 5_000, logger: silentLogger });

type Opened = Awaited<ReturnType<typeof open>>;

async function open(folder: string) {
  const embedded = await openEmbeddedDatabase({ folder, logger: silentLogger });
  const database = poolOn(embedded.url);
  return {
    database,
    socketFolder: new URL(embedded.url).searchParams.get('host') ?? '',
    url: embedded.url,
    async close() {
      await database.close();
      await embedded.close();
    },
  };
}

describe('the embedded database', () => {
  let folder: string;
  const opened: Opened[] = [];
  const children: ChildProcess[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-embedded-'));
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  async function openHere(inside = folder): Promise<Opened> {
    await layEmbeddedDatabase(inside);
    const database = await open(inside);
    opened.push(database);
    return database;
  }

  function startWriter(count: number) {
    const program = fileURLToPath(new URL('./embedded-writer.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, folder, String(count)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    const writer = { child, output: '', errors: '', exit: once(child, 'close') };
    child.stdout.on('data', (data) => (writer.output += String(data)));
    child.stderr.on('data', (data) => (writer.errors += String(data)));
    return writer;
  }

  it('keeps its rows from one opening to the next, in a private folder, under a path too long for sockets', async () => {
    const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60));
    const first = await open(deep);
    await first.database.query('create table notes (body text)');
    await first.database.query("insert into notes values ('kept')");
    expect((await stat(first.socketFolder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(deep, 'socket', '.s.PGSQL.5432'))).isSocket()).toBe(true);
    await first.close();
    const { database } = await openHere(deep);
    expect(await database.query('select body from notes')).toEqual([{ body: 'kept' }]);
  });

  it('has everything that was acknowledged before its process was killed', async () => {
    const writer = startWriter(100_000);
    await expect.poll(() => writer.output.split('acknowledged').length, { timeout: 180_000 }).toBeGreaterThan(50);
    writer.child.kill('SIGKILL');
    await writer.exit;
    const acknowledged = [...writer.output.matchAll(/^acknowledged (.+)$/gm)].map(([, id]) => id);
    const { database, close } = await open(folder);
    const posted = await database.query<{ transfer_id: string }>(
      "select transfer_id from transfer_phases where outcome = 'posted'",
    );
    const ids = new Set<string | undefined>(posted.map((row) => row.transfer_id));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    const [sums] = await database.query(
      `select sum(amount_minor)::bigint as total,
         (select count(*) from accounts a where kind = 'customer' and balance_minor <>
           (select coalesce(sum(amount_minor), 0) from entries e where e.account_id = a.account_id)) as wrong
       from entries`,
    );
    expect(sums).toEqual({ total: 0n, wrong: 0n });
    await close();
    // A program that closes it ends by itself.
    const last = startWriter(1);
    expect(await last.exit).toEqual([0, null]);
    expect(last.output).toContain('closed');
  });

  it('is reached by its URL alone, whatever the environment tells the driver', async () => {
    const spaced = join(folder, 'a folder & more');
    const { url } = await openHere(spaced);
    const told = {
      PGHOST: 'db.example',
      PGPORT: '1',
      PGUSER: 'somebody',
      PGPASSWORD: 'secret',
      PGDATABASE: 'elsewhere',
      PGSSLMODE: 'require',
      PGSSLNEGOTIATION: 'direct',
      PGOPTIONS: '-c default_transaction_read_only=on',
    };
    for (const [name, value] of Object.entries(told)) vi.stubEnv(name, value);
    try {
      await migrate({ ownerUrl: url, logger: silentLogger });
      const database = poolOn(url);
      expect(await database.query('select current_user as who, current_database() as db')).toEqual([
        { who: 'postgres', db: 'postgres' },
      ]);
      await database.close();
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is sent no limit that it cannot keep', async () => {
    const { url } = await openHere();
    // A listener in the engine's place hears what the program asks for.
    const socketFolder = join(folder, 'listener');
    await mkdir(socketFolder);
    const startup = new Promise<string>((resolve) => {
      const listener = createServer((socket) => {
        socket.once('data', (data) => {
          resolve(data.toString('latin1'));
          socket.destroy();
          listener.close();
        });
      }).listen(join(socketFolder, '.s.PGSQL.5432'));
    });
    const elsewhere = new URL(url);
    elsewhere.searchParams.set('host', socketFolder);
    const database = poolOn(elsewhere.href);
    await expect(database.query('select 1')).rejects.toThrow();
    await database.close();
    expect(await startup).toContain('\0statement_timeout\x000\0');
    expect(await startup).toContain('\0idle_in_transaction_session_timeout\x000\0');
  });

  it('serves a migration and a pool in turns', async () => {
    const { url, database } = await openHere();
    await migrate({ ownerUrl: url, logger: silentLogger });
    const migration = migrate({ ownerUrl: url, logger: silentLogger });
    const asked = Promise.all([1, 2, 3].map((n) => database.query('select $1::int as n', [n])));
    await migration;
    expect(await asked).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
  });

  it('starts again when its thread fails and ends, and the same connection pool goes on', async () => {
    const { database } = await openHere();
    await database.query('create table notes (body text)');
    threads.at(-1)?.emit('error', new Error('the engine failed'));
    await threads.at(-1)?.terminate();
    await expect
      .poll(() => database.query('select body from notes').catch(() => 'not yet'), { timeout: 120_000 })
      .toEqual([]);
  });

  it('says so when it cannot open the folder', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'PG_VERSION'), 'nonsense');
    await expect(openEmbeddedDatabase({ folder, logger: silentLogger })).rejects.toThrow();
  });

  it('serves the next client as if the last had never been, wherever that one broke off', async () => {
    const { url, socketFolder } = await openHere();
    await migrate({ ownerUrl: url, logger: silentLogger });
    for (const breakOff of breakOffs) {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      await breakOff(client);
      client.connection.stream.destroy();
      await expectCleanSession(url);
    }
    const database = poolOn(url);
    const long = 'x'.repeat(3_000_000);
    expect(await database.query('select length($1) as length', [long])).toEqual([{ length: 3_000_000 }]);
    await database.close();
    // And one who only knocks.
    connect(join(socketFolder, '.s.PGSQL.5432')).end();
    await expectCleanSession(url);
  });
});

/** Ways to leave the one session of the engine in disorder. */
const breakOffs: ((client: pg.Client) => Promise<unknown>)[] = [
  (client) => client.query("set lock_timeout = '7s'"),
  async (client) => {
    await client.query('begin');
    await client.query("insert into messages values ('t', 'u', 1, 'lost', '', '')");
  },
  async (client) => {
    await client.query('begin');
    await client.query('select 1/0').catch(() => undefined);
  },
  // A statement that fails, whose Sync never comes: the engine ignores everything until there is one.
  async (client) => {
    client.connection.parse({ name: '', text: 'selekt', types: [] }, false);
    client.connection.flush();
    await once(client.connection, 'errorMessage');
  },
  // A statement that is executed, whose Sync never comes: it would be committed with the next one.
  async (client) => {
    const text = "insert into messages values ('t', 'u', 1, 'lost', '', '')";
    client.connection.parse({ name: '', text, types: [] }, false);
    client.connection.bind({ portal: '', statement: '' }, false);
    client.connection.execute({ portal: '' }, false);
    client.connection.flush();
    await once(client.connection, 'commandComplete');
  },
];

async function expectCleanSession(url: string): Promise<void> {
  const database = poolOn(url);
  expect(await database.query('show lock_timeout')).toEqual([{ lock_timeout: '0' }]);
  const lost = await database.query('select count(*) from messages where kind = $1', ['lost']);
  expect(lost).toEqual([{ count: 0n }]);
  expect(await database.transaction(async (tx) => tx.query('select $1::int as n', [3]))).toEqual([{ n: 3 }]);
  await database.close();
}
