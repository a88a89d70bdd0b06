import { ActivityFailure } from '@temporalio/common';
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { createDelayedTaskActivities, Delivery } from '../../activities/delayed-tasks.ts';
import type { DelayedTaskDetails, DelayedTaskInput } from '../../src/catalog/delayed-tasks.ts';
import type { Envelope } from '../../src/definition/envelope.ts';
import type { Progress } from './progress.ts';

type Activities = ReturnType<typeof createDelayedTaskActivities>;
type Task = Envelope<DelayedTaskInput, DelayedTaskDetails>;

/** A worker gets so long beyond the attempt itself, which has a time limit of its own. */
const marginMs = 5_000;
const otherAttemptMs = 15_000;

const { buryTask } = proxyActivities<Pick<Activities, 'buryTask'>>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
});

/** How an attempt ended. `lost`: nobody said so, because the worker was gone or broke. */
export type Told = Delivery | { readonly kind: 'lost' };

/**
 * Makes one attempt. Temporal repeats none: an attempt that was cut off may have been received, and when the next one is
 * due is for the schedule to say.
 */
export async function attempt({ input, context, details }: Task, progress: Progress): Promise<Told> {
  const timeoutMs = 'webhook' in input.deliver ? input.deliver.webhook.timeout : otherAttemptMs;
  const options = { startToCloseTimeout: timeoutMs + marginMs, retry: { maximumAttempts: 1 } };
  const { tenant, key, generation, startedBy, traceparent } = context;
  const alsoAskedBy = [...(context.alsoAskedBy ?? []), ...(progress.askedBy ?? [])];
  const order = {
    task: { tenant, key, generation },
    dueAt: new Date(progress.dueAtMs).toISOString(),
    isFirst: progress.attempts === 1,
    expiresAt: input.expiresAt,
  };
  try {
    if ('process' in input.deliver) {
      const { startProcess } = proxyActivities<Pick<Activities, 'startProcess'>>(options);
      const version = details?.process?.version;
      const target = { ...input.deliver.process, version };
      return await startProcess({ ...order, target, startedBy, alsoAskedBy, traceparent });
    }
    const { deliver } = proxyActivities<Pick<Activities, 'deliver'>>({
      ...options,
      // It waits for strangers, and takes no slot of those that do not.
      taskQueue: `${workflowInfo().taskQueue}.deliveries`,
    });
    const { payload } = input;
    return await deliver({ ...order, target: input.deliver, payload, timeoutMs });
  } catch (error) {
    if (error instanceof ActivityFailure) return { kind: 'lost' };
    throw error;
  }
}

/** Counts a dead letter, and answers until when it may be delivered again. */
export async function bury(): Promise<number> {
  const { forMs } = await buryTask();
  return Date.now() + forMs;
}
