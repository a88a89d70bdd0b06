import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { shortPathOf } from '../socket-path.ts';

const port = 5432;
/** The name under which PostgreSQL's drivers look for a socket in a folder. */
const socketName = `.s.PGSQL.${port}`;
const restartPauseMs = 500;
const closeLimitMs = 10_000;

/**
 * Opens the database in `folder`, made where it is missing, in a thread of this process. For development and a single
 * node: what was acknowledged survives the death of the process, not a loss of power. The caller
 * has to keep other processes out of the folder. The engine is started again should its thread ever end by itself.
 *
 * `url` is for PostgreSQL's driver. One client is served at a time, the next once that one is gone.
 */
export async function openEmbeddedDatabase({ folder, logger }: { folder: string; logger: Logger }) {
  const socketFolder = join(folder, 'socket');
  await mkdir(socketFolder, { recursive: true, mode: 0o700 });
  // Whoever reaches the socket is the database's superuser, and the folder may be there from an earlier time.
  await chmod(socketFolder, 0o700);
  logger.warn({ folder }, 'the database is embedded: for development and a single node');
  const address = await shortPathOf(socketFolder, socketName.length);
  const socketPath = join(address.path, socketName);
  try {
    const engine = await superviseThread({ dataFolder: join(folder, 'data'), socketPath, logger });
    return {
      url: urlOf(address.path),
      /** Closes the engine. Close every client of it first. */
      async close(): Promise<void> {
        await engine.close();
        await address.close();
      },
    };
  } catch (error) {
    await address.close();
    throw error;
  }
}

/**
 * Says all that the driver would else take from the environment (PGHOST, PGPORT, PGSSLMODE and others). The engine
 * ignores `statement_timeout` and hangs after `idle_in_transaction_session_timeout`: here both are off, and the limits
 * on the client's side, which destroy the socket, are the only ones.
 */
function urlOf(socketFolder: string): string {
  const url = new URL(`postgres://postgres@localhost:${port}/postgres`);
  url.search = new URLSearchParams({
    host: socketFolder,
    sslmode: 'disable',
    sslnegotiation: 'postgres',
    statement_timeout: '0',
    idle_in_transaction_session_timeout: '0',
  }).toString();
  return url.href;
}

interface ThreadOptions {
  readonly dataFolder: string;
  readonly socketPath: string;
  readonly logger: Logger;
}

async function superviseThread(options: ThreadOptions) {
  const { logger } = options;
  let isClosing = false;
  let thread = await startThread(options);
  const over = keepRunning();

  async function keepRunning(): Promise<void> {
    await exitOf(thread);
    while (!isClosing) {
      logger.error('the thread of the embedded database ended; starting it again');
      await sleep(restartPauseMs);
      try {
        thread = await startThread(options);
      } catch (error) {
        logger.error({ err: error }, 'the embedded database does not start');
        continue;
      }
      if (wantsToClose()) await thread.terminate();
      else await exitOf(thread);
    }
  }

  const wantsToClose = () => isClosing;

  return {
    async close(): Promise<void> {
      isClosing = true;
      thread.postMessage('close');
      const isOver = await Promise.race([over.then(() => true), sleep(closeLimitMs, false, { ref: false })]);
      if (!isOver) await thread.terminate();
    },
  };
}

/** Resolves when the thread serves. */
async function startThread({ dataFolder, socketPath, logger }: ThreadOptions): Promise<Worker> {
  // A socket left by a killed process would be in the way; the folder's lock says that nobody uses it.
  await rm(socketPath, { force: true });
  const thread = createThread({ dataFolder, socketPath });
  const ended = exitOf(thread).then(() => Promise.reject(new Error('the thread ended before it was ready')));
  // `once` rejects when the thread fails before it is ready.
  await Promise.race([once(thread, 'message'), ended]);
  ended.catch(() => undefined);
  thread.on('error', (error) => logger.error({ err: error }, 'the embedded database failed'));
  return thread;
}

// Not `once` of node:events: that one rejects when the thread fails, which is one of its ways to end.
const exitOf = (thread: Worker): Promise<void> =>
  new Promise((resolve) => {
    thread.once('exit', () => resolve());
  });

/** From sources the thread needs the loader of this program, which threads do not inherit. */
function createThread(data: { dataFolder: string; socketPath: string }): Worker {
  const extension = extname(import.meta.url);
  const entry = new URL(`./thread${extension}`, import.meta.url);
  if (extension === '.js') return new Worker(entry, { workerData: data });
  const register = `import('tsx/esm/api').then(({ register }) => register()).then(() => import(${JSON.stringify(entry.href)}))`;
  return new Worker(register, { eval: true, workerData: data });
}
