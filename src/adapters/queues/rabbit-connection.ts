import type { ChannelModel, Options } from 'amqplib';
import { withTimeLimit } from '../../timing/time-limit.ts';
import type { Attempt } from '../attempt.ts';
import type { QueueMessage } from './broker.ts';
import { channelsOf } from './rabbit-channels.ts';
import { keepWaiters } from './waiters.ts';

const connectMs = 5_000;
const closeMs = 2_000;
/** A peer that is silent for two to three of these is gone. */
const heartbeatSeconds = 10;

export interface RabbitConnection {
  /** As {@link QueueBroker.publish}, but without a limit of its own: `signal` ends it. Rejects where no channel opens. */
  publish(message: QueueMessage, signal: AbortSignal): Promise<Attempt>;
  /** Whether the broker has said that it takes no messages for now. */
  isBlocked(): boolean;
  /** Resolves once it takes messages, or `signal` aborts, or the connection ends. */
  untilUnblocked(signal: AbortSignal): Promise<void>;
  /** Resolves with the reason when the connection has ended in whatever way. */
  readonly ended: Promise<unknown>;
  close(): Promise<void>;
}

/** Opens a connection with a login, within five seconds. Rejects for what fails, and once `signal` aborts. */
export async function openConnection(url: string, signal: AbortSignal): Promise<RabbitConnection> {
  const { connect } = await import('amqplib');
  // Nobody hears of an abort that came before this.
  signal.throwIfAborted();
  // The library ends a socket gently, which a peer that is gone never answers: the signal destroys it.
  const socket = new AbortController();
  const destroy = () => socket.abort();
  signal.addEventListener('abort', destroy);
  const socketOptions = {
    noDelay: true,
    keepAlive: true,
    clientProperties: { connection_name: 'portico' },
    signal: socket.signal,
  };
  try {
    const connecting = connect(connectOptionsOf(url), socketOptions);
    const model = await withTimeLimit(connecting, connectMs, () => new Error('timeout'));
    return connectionOf(model, () => {
      signal.removeEventListener('abort', destroy);
      destroy();
    });
  } catch (error) {
    signal.removeEventListener('abort', destroy);
    destroy();
    throw error;
  }
}

function connectionOf(model: ChannelModel, destroy: () => void): RabbitConnection {
  const channels = channelsOf(model);
  const waiters = keepWaiters();
  let isBlocked = false;
  let failure: unknown;
  model.on('error', (error) => (failure = error));
  model.on('blocked', () => (isBlocked = true));
  model.on('unblocked', () => {
    isBlocked = false;
    waiters.wakeAll();
  });
  const ended = new Promise<unknown>((resolve) => {
    model.on('close', (error) => {
      destroy();
      waiters.wakeAll();
      resolve(failure ?? error ?? new Error('closed'));
    });
  });

  return {
    publish: channels.publish,
    isBlocked: () => isBlocked,
    untilUnblocked: async (signal) => {
      if (isBlocked) await waiters.wait(signal);
    },
    ended,
    async close(): Promise<void> {
      await withTimeLimit(Promise.race([model.close(), ended]), closeMs).catch(() => undefined);
      destroy();
      await ended;
    },
  };
}

/** The library decodes the parts of a URL as Latin-1, and takes more from a query than we want. */
function connectOptionsOf(text: string): Options.Connect {
  const url = new URL(text);
  const isLogin = url.username !== '' || url.password !== '';
  return {
    protocol: url.protocol.slice(0, -1),
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(isLogin && { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }),
    vhost: url.pathname.slice(1),
    heartbeat: heartbeatSeconds,
  };
}
