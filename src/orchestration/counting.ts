import type { CallDependencies } from './calls.ts';
import { readProblemOf } from './failures.ts';

/** Counts what a query of the visibility store finds; the lane takes its turn. Throws `overloaded` or a read Problem. */
export function createCounting({ connection, namespace, deadlines, visibilityTurn }: CallDependencies) {
  return async (query: string, lane: string, signal?: AbortSignal): Promise<number> => {
    await visibilityTurn?.(lane);
    try {
      const { workflowService } = connection.within({ deadlineMs: deadlines.readMs, signal });
      const { count } = await workflowService.countWorkflowExecutions({ namespace, query });
      return Number(count);
    } catch (error) {
      throw readProblemOf(error);
    }
  };
}
