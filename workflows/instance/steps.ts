import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxySinks,
  type Sinks,
  upsertSearchAttributes,
} from '@temporalio/workflow';

const stepAttribute = defineSearchAttributeKey('PorticoStep', SearchAttributeType.KEYWORD);
const outcomeAttribute = defineSearchAttributeKey('PorticoOutcome', SearchAttributeType.KEYWORD);

/** Facts a worker's metrics count once, not again at replay. */
export interface InstanceSinks extends Sinks {
  instances: { ended(outcome: string): void };
}

const sinks = proxySinks<InstanceSinks>();

/**
 * Publishes where the instance stands; readers see it without asking a worker.
 * Each call is a command in history: moving one in released code needs `patched`.
 */
export function enterStep(step: string): void {
  upsertSearchAttributes([{ key: stepAttribute, value: step }]);
}

/**
 * Publishes how the instance ends, as the last thing before the workflow returns `result`.
 * Waits for the actions that still run, cancelled or not: their callers get their answers.
 */
export async function endWith<Result extends { outcome: string }>(result: Result): Promise<Result> {
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  upsertSearchAttributes([{ key: outcomeAttribute, value: result.outcome }]);
  sinks.instances.ended(result.outcome);
  return result;
}
