import type { Attempt } from '../src/adapters/attempt.ts';
import type { QueueMessage } from '../src/adapters/queues/broker.ts';
import type { Queues } from '../src/adapters/queues/queues.ts';
import type { Webhooks } from '../src/adapters/webhooks/webhooks.ts';
import type { DelayedTaskInput } from '../src/catalog/delayed-tasks.ts';
import { type DelayedTaskKey, deliveryBodyOf, deliveryIdOf } from '../src/catalog/delayed-tasks/delivery.ts';
import { delayedTaskSettings } from '../src/catalog/delayed-tasks/settings.ts';
import type { SettingsOf } from '../src/config/process-settings.ts';
import type { Actor } from '../src/definition/envelope.ts';
import { Problem } from '../src/problems.ts';
import { typed } from './failures.ts';
import { createLaunch, type Launch, type LaunchDependencies } from './launch.ts';

type Targets = DelayedTaskInput['deliver'];
type ProcessTarget = Extract<Targets, { process: unknown }>['process'];
type StrangerTarget = Exclude<Targets, { process: unknown }>;

interface Order {
  readonly task: DelayedTaskKey;
  readonly dueAt: string;
  /** The first attempt tells how late the task is. */
  readonly isFirst: boolean;
  readonly expiresAt?: string | undefined;
}

interface StartOrder extends Order {
  readonly target: ProcessTarget;
  readonly startedBy: Actor;
  /** Others by whose request the task runs. */
  readonly alsoAskedBy?: readonly Actor[] | undefined;
  readonly traceparent?: string | undefined;
}

/** How an attempt ended. */
export type Delivery =
  | (Attempt & {
      readonly deliveryId: string;
      /** The instance that was started. */
      readonly started?: { readonly process: string; readonly id: string };
    })
  /** Nothing was sent: the task had expired. */
  | { readonly kind: 'expired' }
  /** Nothing was sent: receivers that hang take too much room, or the database is away. */
  | { readonly kind: 'deferred'; readonly forMs: number };

/** What was delivered, as metrics name it. */
export type DeliveryTarget = 'webhook' | 'queue' | 'process';

/** A delivery that was begun, or would have been if there had been room. */
type Tried = Exclude<Delivery, { readonly kind: 'expired' }>;

/** Tells what became of deliveries. */
export interface DeliveryObserver {
  /** Seconds from the time at which a task was due to its first attempt. */
  observeLateness(target: DeliveryTarget, seconds: number): void;
  /** `lost`: it broke, and nobody can say whether something was received. `seconds`: how long it took. */
  observeAttempt(target: DeliveryTarget, attempt: Tried | { readonly kind: 'lost' }, seconds: number): void;
  countDeadLetter(): void;
}

interface Dependencies extends LaunchDependencies {
  readonly webhooks: Pick<Webhooks, 'send'>;
  readonly queues: Pick<Queues, 'publish'>;
  readonly settingsOf: SettingsOf;
  readonly deliveryObserver: DeliveryObserver;
  readonly deliveryRoom: DeliveryRoom;
  /** Aborts when the activity with this very input is cancelled. */
  readonly signalOf: (input: object) => AbortSignal | undefined;
}

/** Decides which attempts may begin. `leave` gives a place back. Undefined where the attempt may not begin now. */
export interface DeliveryRoom {
  /** `suspect`: whose slowness it is where the attempt is slow. */
  enter(asked: {
    readonly tenant: string;
    readonly receiver: string;
    readonly suspect: string;
    readonly signal?: AbortSignal;
  }): Promise<{ leave(): void } | undefined>;
}

// Chance spreads those that come again.
const deferred = (): Tried => ({ kind: 'deferred', forMs: Math.round(5_000 + Math.random() * 10_000) });

/**
 * One attempt to deliver a delayed task. Each carries the id of the task, the same in all attempts; what receives it twice
 * must tell by that.
 */
export function createDelayedTaskActivities(dependencies: Dependencies) {
  const { webhooks, deliveryObserver, deliveryRoom, settingsOf, signalOf } = dependencies;
  const launch = createLaunch(dependencies);

  /** Makes the attempt unless the task has expired, and counts what became of it. */
  async function observed(target: DeliveryTarget, order: Order, work: () => Promise<Tried>): Promise<Delivery> {
    const { dueAt, expiresAt, isFirst } = order;
    const nowMs = Date.now();
    if (expiresAt !== undefined && nowMs >= Date.parse(expiresAt)) return { kind: 'expired' };
    const startedAtMs = performance.now();
    const observe = (attempt: Tried | { readonly kind: 'lost' }) =>
      deliveryObserver.observeAttempt(target, attempt, (performance.now() - startedAtMs) / 1_000);
    const delivery = await work().catch((error: unknown) => {
      observe({ kind: 'lost' });
      throw error;
    });
    observe(delivery);
    if (isFirst && delivery.kind !== 'deferred') {
      deliveryObserver.observeLateness(target, Math.max(0, nowMs - Date.parse(dueAt)) / 1_000);
    }
    return delivery;
  }

  return {
    /** Sends the task to a webhook or a queue. A worker that stops ends the attempt, which is made again. */
    deliver: (order: Order & { target: StrangerTarget; payload: unknown; timeoutMs: number }): Promise<Delivery> => {
      const { task, target, payload, dueAt, timeoutMs } = order;
      const id = deliveryIdOf(task);
      const body = deliveryBodyOf(task, { dueAt, payload });
      const sent = { tenant: task.tenant, body, timeoutMs, signal: signalOf(order) };
      const send = (): Promise<Attempt | undefined> =>
        'webhook' in target
          ? webhooks.send({ ...sent, id, target: target.webhook, enter: entryOf(task, deliveryRoom) })
          : publish(dependencies, { ...sent, messageId: id, queue: target.queue.name });
      return typed(() =>
        observed('webhook' in target ? 'webhook' : 'queue', order, async () => {
          try {
            const attempt = await send();
            return attempt === undefined ? deferred() : { ...attempt, deliveryId: id };
          } catch (error) {
            // Nothing was sent: the database, which has the secrets, is away.
            if (error instanceof Problem && error.kind.retryable) return deferred();
            throw error;
          }
        }),
      );
    },

    /** Starts the process, once for the key of the task. Whoever created the task is who started it. */
    startProcess: (order: StartOrder): Promise<Delivery> =>
      typed(() => observed('process', order, () => startBy(launch, order))),

    /** Counts a dead letter, and says how long it waits to be delivered again. */
    buryTask: (): Promise<{ forMs: number }> =>
      typed(() => {
        deliveryObserver.countDeadLetter();
        return Promise.resolve({ forMs: settingsOf(delayedTaskSettings).deadLetterTime });
      }),
  };
}

/** All queues are slow together: they have one broker. */
async function publish(
  { queues, deliveryRoom }: Pick<Dependencies, 'queues' | 'deliveryRoom'>,
  message: QueueMessage,
): Promise<Attempt | undefined> {
  const { tenant, queue } = message;
  const place = await deliveryRoom.enter({ tenant, receiver: `queue ${queue}`, suspect: 'queues' });
  if (place === undefined) return undefined;
  try {
    return await queues.publish(message);
  } finally {
    place.leave();
  }
}

/** A receiver that hangs for one tenant may be fast for another. */
const entryOf =
  ({ tenant }: DelayedTaskKey, room: DeliveryRoom) =>
  (receiver: string, signal: AbortSignal) =>
    room.enter({ tenant, receiver, suspect: `${tenant} ${receiver}`, signal });

/** Nobody has judged the target of a target. No such task can be created. */
const ownName = 'delayed-tasks';

async function startBy(
  launch: Launch,
  { task, target, startedBy, alsoAskedBy, traceparent }: StartOrder,
): Promise<Tried> {
  const deliveryId = deliveryIdOf(task);
  const { name, version, input } = target;
  if (name === ownName) return { kind: 'dead', reason: 'forbidden', deliveryId };
  const start = { process: name, version, input, key: deliveryId };
  try {
    const told = await launch({ ...start, tenant: task.tenant, startedBy, alsoAskedBy, traceparent });
    if (told.kind === 'refused') return { kind: 'dead', reason: told.code, deliveryId };
    return { kind: 'delivered', deliveryId, started: { process: name, id: told.key } };
  } catch {
    // Repeating the start tells whether it had begun.
    return { kind: 'failed', reason: 'unavailable', deliveryId };
  }
}
