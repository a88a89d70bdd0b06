import { createFairGate } from '../../timing/fair-gate.ts';
import { withTimeLimit } from '../../timing/time-limit.ts';
import type { Attempt } from '../attempt.ts';
import { failed, type QueueBroker, type QueueMessage, type QueueObserver } from './broker.ts';
import { keepConnection } from './rabbit-link.ts';

/** Messages under way at once, each on a channel of its own. RabbitMQ allows 2,047 channels unless told otherwise. */
const mostUnderWay = 200;
/** How long those under way may take to end when the process stops. */
const drainMs = 5_000;

/** RabbitMQ, over AMQP 0-9-1: one connection, messages to queues by name through the default exchange. */
export function openRabbit({ url, observer }: { url: string; observer: QueueObserver }): QueueBroker {
  const link = keepConnection({ url, onChange: (reason) => observer.onConnection('rabbitmq', reason) });
  // A message leaves when its channel is done with it, which may be later than its attempt.
  const gate = createFairGate({ slots: () => mostUnderWay });
  const underWay = new Set<Promise<unknown>>();
  let isClosing = false;

  /** `stage.reason` is why the attempt fails if its time ends now. */
  async function deliver(message: QueueMessage, stage: { reason: string }, signal: AbortSignal): Promise<Attempt> {
    if (!(await gate.enter(message.tenant, message.timeoutMs, signal))) return failed('busy');
    try {
      stage.reason = 'broker-away';
      const connection = await link.connection(signal);
      if (connection === undefined) return failed('broker-away');
      stage.reason = 'blocked';
      await connection.untilUnblocked(signal);
      if (signal.aborted) return failed('blocked');
      stage.reason = 'timeout';
      return await connection.publish(message, signal);
    } catch {
      // Whatever was lost with the connection may have arrived.
      return failed('connection-lost');
    } finally {
      gate.leave();
    }
  }

  return {
    connect: link.connect,
    check: link.check,

    async publish(message): Promise<Attempt> {
      if (isClosing) return failed('closing');
      const ending = new AbortController();
      const stage = { reason: 'busy' };
      const signal = AbortSignal.any([ending.signal, ...(message.signal === undefined ? [] : [message.signal])]);
      const work = deliver(message, stage, signal);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
      const attempt = await withTimeLimit(work, message.timeoutMs).catch(() => failed(stage.reason));
      ending.abort();
      return attempt.kind === 'failed' && message.signal?.aborted === true ? failed('cancelled') : attempt;
    },

    async close(): Promise<void> {
      isClosing = true;
      await withTimeLimit(Promise.allSettled(underWay), drainMs).catch(() => undefined);
      await link.close();
    },
  };
}
