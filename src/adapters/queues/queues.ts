import { Problem } from '../../problems.ts';
import type { Attempt } from '../attempt.ts';
import { failed, type QueueBroker, type QueueMessage, type QueueObserver } from './broker.ts';
import { openRabbit } from './rabbit.ts';

interface QueueSettings {
  /** Where it is undefined nothing is delivered to queues. */
  readonly brokerUrl?: { reveal(): string } | undefined;
  /** `tenant` may be `*`, and `{tenant}` in `queue` stands for the tenant's name. */
  readonly allowed?: readonly { readonly tenant: string; readonly queue: string }[] | undefined;
}

interface TenantAndQueue {
  readonly tenant: string;
  readonly queue: string;
}

type OpenBroker = (options: { readonly url: string; readonly observer: QueueObserver }) => QueueBroker;

/** Every broker by the scheme of its URL. */
const brokers: Readonly<Record<string, OpenBroker>> = { 'amqp:': openRabbit, 'amqps:': openRabbit };

const deaf: QueueObserver = { onConnection: () => undefined };

export type Queues = ReturnType<typeof createQueues>;

/** Delivery to the queues of one broker. Only `publish` and `connect` need it, and load what speaks to it. */
export function createQueues(settings: QueueSettings, observer: QueueObserver = deaf) {
  const broker = brokerOf(settings, observer);
  const isAllowed = ({ tenant, queue }: TenantAndQueue): boolean =>
    (settings.allowed ?? []).some(
      (each) => (each.tenant === '*' || each.tenant === tenant) && queue === queueOf(each.queue, tenant),
    );

  return {
    isConfigured: broker !== undefined,
    connect: (): void => broker?.connect(),
    check: (): void => broker?.check(),
    close: (): Promise<void> => broker?.close() ?? Promise.resolve(),

    /** Rejects with `not-configured` or `target-not-allowed` where `publish` would not even try. Asks no broker. */
    judge(target: TenantAndQueue): Promise<void> {
      if (broker === undefined) {
        return Promise.reject(new Problem('not-configured', { detail: 'Delivery to queues is not set up here.' }));
      }
      if (isAllowed(target)) return Promise.resolve();
      return Promise.reject(
        new Problem('target-not-allowed', { detail: 'The queue is none of those that this tenant may use.' }),
      );
    },

    /** One attempt. Never rejects. A queue that is not allowed here, or a broker that is not set up, may come: `failed`. */
    async publish(message: QueueMessage): Promise<Attempt> {
      if (broker === undefined) return failed('not-configured');
      return isAllowed(message) ? broker.publish(message) : failed('target-not-allowed');
    },
  };
}

function brokerOf({ brokerUrl }: QueueSettings, observer: QueueObserver): QueueBroker | undefined {
  const url = brokerUrl?.reveal();
  if (url === undefined) return undefined;
  const open = brokers[new URL(url).protocol];
  if (open === undefined) throw new Error('no broker has such a scheme');
  return open({ url, observer });
}

/** AMQP names have 255 bytes at most, and those that begin with `amq.` are the broker's own, whatever the tenant is called. */
function queueOf(pattern: string, tenant: string): string | undefined {
  const queue = pattern.replaceAll('{tenant}', tenant);
  return Buffer.byteLength(queue) > 255 || queue.startsWith('amq.') ? undefined : queue;
}
