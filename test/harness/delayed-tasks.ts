import { randomUUID } from 'node:crypto';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { createDelayedTaskActivities } from '../../activities/delayed-tasks.ts';
import type { Attempt } from '../../src/adapters/attempt.ts';
import type { DelayedTaskDetails, DelayedTaskOutput, Deliveries } from '../../src/catalog/delayed-tasks.ts';
import { delayedTaskSettings } from '../../src/catalog/delayed-tasks/settings.ts';
import { catalog } from '../../src/catalog/index.ts';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import type { StartOutcome } from '../../src/orchestration/start.ts';
import type { StartCall } from '../../src/orchestration/start-request.ts';
import { createDeliveryRoom } from '../../src/worker/delivery-room.ts';
import { approver, createMessages, starter } from './instance-messages.ts';
import { judgesNothing } from './judging.ts';
import { settingsWith } from './settings.ts';
import { until } from './until.ts';
import { openWorkers } from './workers.ts';

/** What a receiver got in one attempt. */
export interface Received {
  readonly id: string;
  readonly body: string;
  readonly atMs: number;
}

/** How a receiver takes its attempts, counted from 1. */
export type Receiver = (attempt: number) => Attempt | Promise<Attempt>;

export const takes: Receiver = () => ({ kind: 'delivered', status: 204 });
export const refuses: Receiver = () => ({ kind: 'failed', reason: 'status', status: 503 });
export const refusesFirst =
  (times: number): Receiver =>
  (attempt) =>
    attempt <= times ? { kind: 'failed', reason: 'status', status: 503 } : { kind: 'delivered', status: 204 };

/** A receiver that holds its attempts until the test says how they end. */
export function createHeld() {
  let reach = (): void => undefined;
  let answer = (_: Attempt): void => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const answered = new Promise<Attempt>((resolve) => (answer = resolve));
  const receiver: Receiver = () => {
    reach();
    return answered;
  };
  return { receiver, reached, answer };
}

/** A task whose first attempt a cancel meets, and what the cancel is answered once the attempt has ended so. */
export async function cancelDuringAttempt(tasks: Pick<DelayedTasks, 'begin'>, end: Attempt) {
  const held = createHeld();
  const task = await tasks.begin({ receiver: held.receiver });
  await held.reached;
  const cancelling = task.ask('cancel');
  await task.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
  held.answer(end);
  return { task, answer: await cancelling };
}

export interface BeginOptions {
  readonly receiver?: Receiver;
  /** Milliseconds from now. */
  readonly dueInMs?: number;
  readonly expiresInMs?: number;
  /** Milliseconds. */
  readonly delays?: readonly number[];
  readonly maxAttempts?: number;
  readonly deliver?: object;
  readonly payload?: unknown;
  readonly taskQueue?: string;
}

/** Delayed tasks through the real workflow, activities and server. The receivers alone are the test's. */
export async function openDelayedTasks({ address, deadLetterMs }: { address: string; deadLetterMs?: number }) {
  const tenant = `tenant-${randomUUID().slice(0, 8)}`;
  const workers = await openWorkers({ address });
  const receivers = new Map<string, { receiver: Receiver; received: Received[] }>();
  const starts: StartCall[] = [];
  let startOutcome: ((call: StartCall) => StartOutcome) | undefined;
  const observed = { latenessSeconds: [] as number[], results: [] as string[], deadLetters: 0 };

  function receive(to: string, id: string, body: string): Promise<Attempt> {
    const known = receivers.get(to);
    if (known === undefined) throw new Error('nobody receives this');
    known.received.push({ id, body, atMs: Date.now() });
    return Promise.resolve(known.receiver(known.received.length));
  }

  const activities = createDelayedTaskActivities({
    webhooks: { send: ({ id, body, target }) => receive('url' in target ? target.url : target.endpoint, id, body) },
    queues: { publish: ({ messageId, body, queue }) => receive(queue, messageId, body) },
    gateway: {
      findStarted: () => Promise.resolve(undefined),
      admitOpen: () => Promise.resolve(undefined),
      start: (call) => {
        starts.push(call);
        const snapshot = { id: call.key, status: 'running', startedAt: new Date().toISOString() } as const;
        return Promise.resolve(startOutcome?.(call) ?? { kind: 'created', snapshot });
      },
    },
    definitions: catalog,
    judging: judgesNothing,
    settingsOf: settingsWith(delayedTaskSettings, deadLetterMs === undefined ? {} : { deadLetterTime: deadLetterMs }),
    deliveryObserver: {
      observeLateness: (_target, seconds) => void observed.latenessSeconds.push(seconds),
      observeAttempt: (_target, { kind }) => void observed.results.push(kind),
      countDeadLetter: () => void (observed.deadLetters += 1),
    },
    deliveryRoom: createDeliveryRoom({ slots: 100, perReceiver: 100 }),
    signalOf: () => undefined,
  });

  /** Workers for the task queue and for its deliveries. */
  async function startWorker(taskQueue = `test-${randomUUID()}`) {
    const parts = await Promise.all([
      workers.startWorker({ activities, taskQueue }),
      workers.startWorker({ activities, taskQueue: `${taskQueue}.deliveries` }),
    ]);
    return { taskQueue, stop: () => Promise.all(parts.map((part) => part.stop())) };
  }
  let shared: ReturnType<typeof startWorker> | undefined;

  async function begin(options: BeginOptions = {}) {
    const {
      receiver = takes,
      dueInMs = 0,
      expiresInMs,
      delays = [10],
      maxAttempts,
      payload = { hello: 'you' },
    } = options;
    const key = `task-${randomUUID().slice(0, 13)}`;
    const url = `https://receiver.test/${key}`;
    const { deliver = { webhook: { url, timeout: 1_000 } } } = options;
    const received: Received[] = [];
    receivers.set('queue' in deliver ? key : url, { receiver, received });
    const isoIn = (ms: number) => new Date(Date.now() + ms).toISOString();
    const details: DelayedTaskDetails = {
      dueAt: isoIn(dueInMs),
      ...(expiresInMs === undefined ? {} : { expiresAt: isoIn(expiresInMs) }),
      delivers: 'webhook',
    };
    const handle = await workers.start({
      workflow: 'delayedTasks',
      processName: 'delayed-tasks',
      taskQueue: options.taskQueue ?? (await (shared ??= startWorker())).taskQueue,
      firstStep: 'waiting',
      input: {
        deliver: 'queue' in deliver ? { queue: { name: key } } : deliver,
        payload,
        expiresAt: details.expiresAt,
        retry: { delays, ...(maxAttempts === undefined ? {} : { maxAttempts }) },
      },
      details,
      context: { tenant, key, generation: 1, startedBy: starter, fingerprint: `f1.${key}` },
    });
    return createTask({ handle, key, received, details });
  }

  function createTask(given: {
    handle: WorkflowHandle;
    key: string;
    received: Received[];
    details: DelayedTaskDetails;
  }) {
    const { handle } = given;
    const read = async () => {
      const { memo } = await handle.describe();
      return { ...(await workers.read(handle)), memo: memo as { details: DelayedTaskDetails; fingerprint: string } };
    };
    return {
      ...createMessages(handle),
      ...given,
      read,
      result: (): Promise<DelayedTaskOutput> => handle.result(),
      deliveries: () => handle.query<Deliveries>('deliveries'),
      reaches: (step: string) => until(read, (seen) => seen.step === step),
      /** The output of an action, or the code of the problem it is refused with; what the api resolved is given too. */
      async ask(action: string, admitted?: unknown, updateId: string = randomUUID()): Promise<unknown> {
        const call = { input: {}, admitted, actor: approver, fingerprint: `of ${updateId}` };
        try {
          const args: [ActionCall<unknown>] = [call];
          return (await handle.executeUpdate<ActionAnswer<unknown>, typeof args>(action, { updateId, args })).output;
        } catch (error) {
          if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
            return error.cause.type;
          }
          // A closed instance gives this error.
          if (error instanceof Error && error.name === 'WorkflowNotFoundError') return 'too-late';
          throw error;
        }
      },
      reschedule(inMs: number): Promise<unknown> {
        return this.ask('reschedule', { dueAt: new Date(Date.now() + inMs).toISOString() });
      },
    };
  }

  return {
    tenant,
    workers,
    startWorker,
    begin,
    observed,
    /** The starts that reached the gateway. */
    starts,
    answerStarts: (answer: (call: StartCall) => StartOutcome): void => {
      startOutcome = answer;
    },
    close: () => workers.close(),
  };
}

export type DelayedTasks = Awaited<ReturnType<typeof openDelayedTasks>>;
export type DelayedTask = Awaited<ReturnType<DelayedTasks['begin']>>;
