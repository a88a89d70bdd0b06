import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelModel, connect, type GetMessage } from 'amqplib';
import { freePort } from '../../src/worker/free-port.ts';
import { leashOf } from '../harness/leash.ts';
import { isRunnable } from './is-runnable.ts';

export type RabbitServer = Awaited<ReturnType<typeof startRabbit>>;

/** The programs themselves. Debian's own commands before them want to run as another user. */
const programs = '/usr/lib/rabbitmq/bin';

/** What a message may have at most on these servers, in bytes. */
export const maxMessageBytes = 65_536;

/**
 * The reason to skip tests that need a real RabbitMQ; `undefined` when they can run. Where CI is set there is no
 * skipping: the reason becomes a failure.
 */
export function rabbitSkipReason(): string | undefined {
  if (isRunnable(join(programs, 'rabbitmq-server'))) return undefined;
  const reason = `no RabbitMQ in ${programs}: install rabbitmq-server`;
  if (process.env.CI === 'true') throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

/**
 * A private RabbitMQ in a temporary folder on a free port of 127.0.0.1, with an `epmd` of its own. Its user is `guest`,
 * with the password `guest`.
 */
export async function startRabbit() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-rabbit-'));
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const environment = environmentIn(folder, { port, distributionPort, epmdPort });
  // Erlang would start one that outlives it.
  const epmd = spawnLeashed('epmd', ['-address', '127.0.0.1', '-port', String(epmdPort)], environment);
  await listening(epmdPort, epmd);
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  let server = spawnServer();
  await answering();

  function spawnServer(): ChildProcess {
    return spawnLeashed(join(programs, 'rabbitmq-server'), [], environment);
  }

  async function answering(): Promise<void> {
    while (isRunning(server)) {
      if (await isAnswering(url)) return;
      await sleep(50);
    }
    throw new Error(`rabbitmq-server ended with ${String(server.exitCode)}`);
  }

  async function kill(): Promise<void> {
    if (!isRunning(server)) return;
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  }

  return {
    port,
    url,
    /** Ends the server as a crash would. What it has confirmed is still there after `restart`. */
    kill,
    async restart(): Promise<void> {
      server = spawnServer();
      await answering();
    },
    /** Runs `rabbitmqctl`, such as with `add_user`, `name` and `password`. */
    control(...args: readonly string[]): void {
      const { status, stderr } = spawnSync(join(programs, 'rabbitmqctl'), args, { env: environment, encoding: 'utf8' });
      if (status !== 0) throw new Error(`rabbitmqctl failed: ${stderr}`);
    },
    /** Runs `work` on a connection of its own. */
    with: <T>(work: (connection: ChannelModel) => Promise<T>): Promise<T> => withConnection(url, work),
    /** Takes everything from a queue. */
    takeAll: (queue: string): Promise<GetMessage[]> =>
      withConnection(url, async (connection) => {
        const channel = await connection.createChannel();
        const messages = [];
        for (;;) {
          const message = await channel.get(queue, { noAck: true });
          if (message === false) return messages;
          messages.push(message);
        }
      }),
    async stop(): Promise<void> {
      await kill();
      const exit = once(epmd, 'exit');
      if (epmd.kill('SIGKILL')) await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function environmentIn(folder: string, ports: { port: number; distributionPort: number; epmdPort: number }) {
  const path = (name: string) => join(folder, name);
  mkdirSync(path('data'));
  writeFileSync(path('rabbitmq.conf'), `max_message_size = ${maxMessageBytes}\n`);
  writeFileSync(path('plugins'), '[].\n');
  return {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    LC_ALL: 'C.UTF-8',
    // Also in a container whose name nobody resolves.
    RABBITMQ_NODENAME: `portico-${ports.port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.port),
    RABBITMQ_DIST_PORT: String(ports.distributionPort),
    RABBITMQ_CONFIG_FILE: path('rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: path('no-environment.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path('plugins'),
    RABBITMQ_MNESIA_BASE: path('data'),
    RABBITMQ_LOG_BASE: path('log'),
    RABBITMQ_PID_FILE: path('pid'),
    // One scheduler that sleeps when nothing is to be done: tests share the processor.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmdPort),
    // The script then becomes the server, which can be killed by its number.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function spawnLeashed(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(program, args, { env, stdio: 'ignore' });
  if (child.pid !== undefined) child.once('exit', leashOf(child.pid, 'KILL'));
  return child;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

async function listening(port: number, child: ChildProcess): Promise<void> {
  while (isRunning(child)) {
    const socket = connectSocket(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    await sleep(20);
  }
  throw new Error('epmd did not start');
}

async function withConnection<T>(url: string, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  try {
    return await work(connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

const isAnswering = (url: string): Promise<boolean> =>
  withConnection(url, () => Promise.resolve(true)).catch(() => false);
