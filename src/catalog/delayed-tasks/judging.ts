import type { AskedAction, AskedStart } from '../../definition/definition.ts';
import { checkLaunch, checkMayStart, definitionOf } from '../../definition/launch-target.ts';
import { Problem } from '../../problems.ts';
import { deliveryIdOf } from './delivery.ts';
import { type DelayedTaskDetails, delayedTaskDetails } from './details.ts';
import type { DelayedTaskInput, Nothing, Rescheduling } from './input.ts';
import { dueAtMsOf, refused } from './times.ts';

type Asked = AskedStart<DelayedTaskInput>;

/**
 * What a delayed task is checked for when it is created: who may start its target, when it is due, and where it goes.
 */
export async function prepareDelayedTask(asked: Asked): Promise<DelayedTaskDetails> {
  const { input, startedAt } = asked;
  const target = await targetOf(asked);
  const dueAtMs = await dueAtMsOf(input, Date.parse(startedAt));
  checkExpiry(input.expiresAt, dueAtMs);
  await judgeAddress(asked);
  return {
    dueAt: new Date(dueAtMs).toISOString(),
    ...(input.expiresAt === undefined ? {} : { expiresAt: new Date(input.expiresAt).toISOString() }),
    ...target,
  };
}

const ownName = 'delayed-tasks';

/** Judges the target as if this caller started it now: when the task is due nobody is there to be judged. */
async function targetOf(asked: Asked): Promise<Pick<DelayedTaskDetails, 'delivers' | 'process'>> {
  const { input, key, principal, services } = asked;
  const { deliver } = input;
  if ('webhook' in deliver) return { delivers: 'webhook' };
  if ('queue' in deliver) return { delivers: 'queue' };
  const { name, version, input: body } = deliver.process;
  if (name === ownName)
    throw refused('/deliver/process/name', 'must be another process: a task cannot be delayed twice');
  const { tenant, permissions } = principal;
  const id = deliveryIdOf({ tenant, key, generation: 1 });
  const at = '/deliver/process';
  const launch = launchable(services.catalog, { process: name, version, input: body, key: id, permissions, at });
  const { definition } = launch;
  // The definition takes the input that its own schema gave.
  await definition.prepare?.({ ...asked, input: launch.input as never, key: launch.key });
  return { delivers: 'process', process: { name: definition.name, version: definition.version } };
}

/** Points to the name of the process as this body calls it. */
function launchable(...given: Parameters<typeof checkLaunch>): ReturnType<typeof checkLaunch> {
  try {
    return checkLaunch(...given);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const errors = error.options.errors?.map((each) =>
      each.pointer === '/deliver/process/process' ? { ...each, pointer: '/deliver/process/name' } : each,
    );
    throw new Problem(error.code, { ...error.options, ...(errors === undefined ? {} : { errors }) });
  }
}

async function judgeAddress({ input: { deliver }, principal: { tenant }, services }: Asked): Promise<void> {
  if ('webhook' in deliver) await services.webhooks.judge({ tenant, target: deliver.webhook });
  if ('queue' in deliver) await services.queues.judge({ tenant, queue: deliver.queue.name });
}

function checkExpiry(expiresAt: string | undefined, dueAtMs: number): void {
  if (expiresAt === undefined || Date.parse(expiresAt) > dueAtMs) return;
  throw refused('/expiresAt', 'must be later than the time at which the task is due');
}

/** What the workflow gets with a rescheduling. */
export interface Admitted {
  readonly dueAt: string;
}

/** Resolves the new time. Like every action that lets the target start, it needs the permission for that. */
export async function admitRescheduling(asked: AskedAction<Rescheduling>): Promise<Admitted> {
  const { expiresAt } = checkMayStartTarget(asked);
  const dueAtMs = await dueAtMsOf(asked.input, Date.now());
  if (expiresAt !== undefined && Date.parse(expiresAt) <= dueAtMs) {
    throw refused('/at', 'must be before the task expires');
  }
  return { dueAt: new Date(dueAtMs).toISOString() };
}

/** Needs the permission to start the target. */
export function admitRunNow(asked: AskedAction<Nothing>): Promise<undefined> {
  checkMayStartTarget(asked);
  return Promise.resolve(undefined);
}

function checkMayStartTarget({ instance, principal, services }: Omit<AskedAction, 'input'>): DelayedTaskDetails {
  const details = delayedTaskDetails.parse(instance.details);
  const { process: target } = details;
  if (target !== undefined) {
    const { name, version } = target;
    checkMayStart(definitionOf(services.catalog, { process: name, version }), principal.permissions);
  }
  return details;
}
