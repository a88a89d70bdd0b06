import type { ChannelModel, ConfirmChannel } from 'amqplib';
import type { Attempt } from '../attempt.ts';
import { dead, failed, type QueueMessage } from './broker.ts';

interface Lane {
  readonly channel: ConfirmChannel;
  isClosed: boolean;
  /** Also where the connection ends, which the library's own `close` does not notice. */
  readonly closed: Promise<void>;
  /** The code with which the server closed it. */
  code?: unknown;
}

/**
 * The channels of a connection, each with one message at a time: what returns or closes a channel is about that message,
 * and the others do not notice. Channels are opened as they are needed, and used again.
 */
export function channelsOf(model: ChannelModel) {
  const idle: Lane[] = [];

  async function open(): Promise<Lane> {
    const channel = await model.createConfirmChannel();
    const closed = new Promise<void>((resolve) => {
      channel.on('close', resolve);
    });
    const lane: Lane = { channel, isClosed: false, closed };
    channel.on('error', (error) => {
      lane.code = 'code' in error ? error.code : undefined;
    });
    // Before the library fails what was not confirmed.
    channel.prependListener('close', () => {
      lane.isClosed = true;
    });
    return lane;
  }

  function takeIdle(): Lane | undefined {
    for (;;) {
      const lane = idle.pop();
      if (lane?.isClosed !== true) return lane;
    }
  }

  return {
    async publish(message: QueueMessage, signal: AbortSignal): Promise<Attempt> {
      const lane = takeIdle() ?? (await open());
      // It may have opened too late.
      const attempt = signal.aborted ? failed('timeout') : await outcomeOf(lane, message, signal);
      if (attempt !== undefined && !lane.isClosed) idle.push(lane);
      // A late confirm must not be taken for that of the next message.
      else if (!lane.isClosed) await close(lane);
      return attempt ?? failed('timeout');
    },
  };
}

/** Undefined where `signal` aborts first. */
const outcomeOf = (lane: Lane, message: QueueMessage, signal: AbortSignal): Promise<Attempt | undefined> =>
  Promise.race([confirmed(lane, message), aborted(signal)]);

async function close({ channel, closed }: Lane): Promise<void> {
  channel.close().catch(() => undefined);
  await closed;
}

/** Resolves when the broker has taken the message or refused it, or when the channel has closed. */
function confirmed(lane: Lane, { queue, messageId, body }: QueueMessage): Promise<Attempt> {
  const { channel } = lane;
  return new Promise((resolve) => {
    let isReturned = false;
    const onReturn = () => {
      isReturned = true;
    };
    channel.on('return', onReturn);
    const settle = (error: unknown) => {
      channel.off('return', onReturn);
      if (error !== null) resolve(refusalBy(lane));
      // The broker confirms a message that no queue took as well, after it has returned it.
      else resolve(isReturned ? failed('returned') : { kind: 'delivered' });
    };
    const properties = { messageId, persistent: true, mandatory: true, contentType: 'application/json' };
    // The default exchange routes to the queue of that name.
    channel.publish('', queue, Buffer.from(body), properties, settle);
  });
}

function refusalBy({ isClosed, code }: Lane): Attempt {
  switch (code) {
    case 403:
      return failed('access-refused');
    // All that a message to the default exchange can fail by is its size.
    case 406:
      return dead('too-large');
    default:
      return failed(isClosed ? 'connection-lost' : 'refused');
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined));
  });
