import type { ChannelModel, ConfirmChannel } from 'amqplib';
import type { Attempt } from '../attempt.ts';
import { dead, failed, type QueueMessage } from './broker.ts';

interface Lane {
  readonly channel: ConfirmChannel;
  isClosed: boolean;
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
    const lane: Lane = { channel: await model.createConfirmChannel(), isClosed: false };
    lane.channel.on('error', (error) => {
      lane.code = 'code' in error ? error.code : undefined;
    });
    // Before the library fails what was not confirmed.
    lane.channel.prependListener('close', () => {
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
      let attempt: Attempt | undefined;
      try {
        attempt = await Promise.race([confirmed(lane, message), aborted(signal)]);
        return attempt ?? failed('timeout');
      } finally {
        if (attempt !== undefined && !lane.isClosed) idle.push(lane);
        // A late confirm must not be taken for that of the next message.
        else if (!lane.isClosed) await lane.channel.close().catch(() => undefined);
      }
    },
  };
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
