import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxySinks,
  type Sinks,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';

const stepAttribute = defineSearchAttributeKey('PorticoStep', SearchAttributeType.KEYWORD);
const outcomeAttribute = defineSearchAttributeKey('PorticoOutcome', SearchAttributeType.KEYWORD);

/** Facts for the metrics of the worker, counted once and not again at replay. */
export interface InstanceSinks extends Sinks {
  instances: { ended(outcome: string): void };
}

const sinks = proxySinks<InstanceSinks>();

/**
 * Publishes the step that the instance is in. Reading it needs no worker.
 * Each call is a command in history, so moving one in released code needs `patched`.
 */
export function enterStep(step: string): void {
  upsertSearchAttributes([{ key: stepAttribute, value: step }]);
}

/**
 * Publishes the outcome and answers `result`; call it last. It waits first, also after a cancel, until every running
 * action has answered its caller.
 */
export async function endWith<Result extends { outcome: string }>(result: Result): Promise<Result> {
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  upsertSearchAttributes([{ key: outcomeAttribute, value: result.outcome }]);
  sinks.instances.ended(result.outcome);
  return result;
}

/**
 * Changes the details that answers show of the instance: all of them, as the definition declares them. The other fields
 * of the memo stay. Each call is a command in history.
 */
export function showDetails(details: Readonly<Record<string, unknown>>): void {
  upsertMemo({ details });
}
