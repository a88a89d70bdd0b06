import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shortPathOf } from './socket-path.ts';

export interface FolderLock {
  /** Lets the next process have the folder. The end of the process does the same. */
  release(): Promise<void>;
}

type State = 'trying' | 'held';

const socketName = /^[0-9a-f]{16}\.sock$/;
const socketNameBytes = 21;
const rounds = 40;

/**
 * Makes this process the only user of a folder, or rejects with an error that names the process which is. The holder
 * listens on a unix socket in `<folder>/lock`: a process that was killed no longer answers, and its lock is void at
 * once. A process id alone would not do, since in a container every run of the program is number 1.
 *
 * Holds between processes of one machine, containers that share the folder included; not across machines.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const sockets = join(folder, 'lock');
  await mkdir(sockets, { recursive: true, mode: 0o700 });
  const address = await shortPathOf(sockets, socketNameBytes);
  try {
    for (let round = 0; round < rounds; round += 1) {
      const lock = await tryToLock(address, folder);
      if (lock !== undefined) return lock;
      // Two that came at the same moment have both stepped back: the next round is not the same moment.
      await sleep(20 + Math.random() * 100);
    }
    throw new Error(`too many processes want the folder ${folder} at the same time`);
  } catch (error) {
    await address.close();
    throw error;
  }
}

/**
 * First be visible, then look around: of two processes the later one cannot miss the other, in whatever order they run.
 * `undefined` when the other one was only trying as well.
 */
async function tryToLock(
  address: Awaited<ReturnType<typeof shortPathOf>>,
  folder: string,
): Promise<FolderLock | undefined> {
  const own = await becomeVisible(address.path);
  const others = await livingOthersOf(address.path, own.name);
  if (others.length === 0) {
    own.hold();
    return {
      async release() {
        await own.close();
        await address.close();
      },
    };
  }
  await own.close();
  const holder = others.find(({ state }) => state === 'held');
  if (holder === undefined) return undefined;
  throw new Error(`the folder ${folder} is in use by ${holder.owner}: stop it, or choose another folder`);
}

async function becomeVisible(path: string) {
  let state: State = 'trying';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${state} ${process.pid}`);
  });
  const id = randomBytes(8).toString('hex');
  const name = `${id}.sock`;
  // Renamed only when it listens, so that a socket others can see refuses a connection only if its owner is dead.
  server.listen(join(path, `${id}.new`));
  await once(server, 'listening');
  await rename(join(path, `${id}.new`), join(path, name));
  server.unref();
  return {
    name,
    hold: () => {
      state = 'held';
    },
    close: async () => {
      await rm(join(path, name), { force: true });
      server.close();
    },
  };
}

async function livingOthersOf(path: string, ownName: string) {
  const names = (await readdir(path)).filter((name) => socketName.test(name) && name !== ownName);
  const answers = await Promise.all(names.map((name) => ask(join(path, name))));
  return answers.filter((answer) => answer !== undefined);
}

/** Who listens on a socket; `undefined`, and the socket is removed, when nobody does. */
async function ask(socketPath: string): Promise<{ state: State; owner: string } | undefined> {
  const socket = createConnection(socketPath);
  // A stopped process accepts a connection and says nothing: it is alive.
  socket.setTimeout(1_000, () => socket.destroy());
  let answer = '';
  try {
    for await (const chunk of socket) answer += String(chunk);
  } catch (error) {
    if (isDead(error)) {
      // Names are never used again, so nobody alive can be behind it by now.
      await rm(socketPath, { force: true });
      return undefined;
    }
  }
  const [, state, pid] = /^(trying|held) (\d+)$/.exec(answer) ?? [];
  return {
    state: state === 'trying' ? 'trying' : 'held',
    owner: pid === undefined ? 'another process' : `process ${pid}`,
  };
}

const isDead = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT');
