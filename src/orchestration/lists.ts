import type { ProcessDefinition } from '../definition/definition.ts';
import type { CallDependencies } from './calls.ts';
import { createCounting } from './counting.ts';
import { openCursor, sealCursor } from './cursor.ts';
import { readProblemOf } from './failures.ts';
import { type InstanceSnapshot, toSnapshot, type WorkflowExecutionInfo } from './instances.ts';
import { createOpenCounts } from './open-counts.ts';
import { type ListFilter, openInstancesQueryOf, openOfTenantQueryOf, visibilityQueryOf } from './visibility-query.ts';

interface ListDependencies extends CallDependencies {
  /** Signs cursors; the same in every replica. Absent in a process that serves no lists. */
  readonly cursorSecret?: Uint8Array | undefined;
}

interface ListRequest {
  readonly definition: ProcessDefinition;
  readonly tenant: string;
  readonly filter: ListFilter;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** No tenant has this name. */
const ownLane = '~portico';

/** The gateway's part that finds and counts instances. Temporal rations such questions: ten a second in all. */
export function createLists(dependencies: ListDependencies) {
  const { connection, namespace, deadlines, cursorSecret, visibilityTurn } = dependencies;
  const countBy = createCounting(dependencies);

  return {
    /**
     * One page, in Temporal's order: first what runs, the last started first, then what has closed, the last closed first.
     * A page shows an instance once. One that closes between two pages may be on both, and none is left out. A page can
     * hold fewer than `limit` items although another follows.
     * Throws `invalid-cursor`, `overloaded` or a read Problem, and a plain Error where there is no secret for cursors.
     */
    async list(
      { definition, tenant, filter, limit, cursor }: ListRequest,
      signal?: AbortSignal,
    ): Promise<{ items: InstanceSnapshot[]; cursor?: string }> {
      if (cursorSecret === undefined) throw new Error('lists need the secret that signs cursors');
      const query = visibilityQueryOf({ tenant, process: definition.name, filter });
      const nextPageToken = cursor === undefined ? undefined : openCursor(cursorSecret, query, cursor);
      await visibilityTurn?.(tenant);
      try {
        const { workflowService } = connection.within({ deadlineMs: deadlines.readMs, signal });
        const page = await workflowService.listWorkflowExecutions({ namespace, query, pageSize: limit, nextPageToken });
        const described = await Promise.all(newestRunsOf(page.executions).map(toSnapshot));
        const token = page.nextPageToken;
        return {
          items: described.filter((each) => each.tenant === tenant).map(({ snapshot }) => snapshot),
          ...(token.length > 0 ? { cursor: sealCursor(cursorSecret, query, token) } : {}),
        };
      } catch (error) {
        throw readProblemOf(error);
      }
    },

    /** How many instances of a process run, or stand at one step, over all tenants. */
    countOpen: (processName: string, step?: string): Promise<number> =>
      countBy(openInstancesQueryOf(processName, step), ownLane),

    /** A place for one more open instance of a tenant, as far as counts from time to time can tell; undefined for none. */
    admitOpen: createOpenCounts({
      count: (processName, tenant) => countBy(openOfTenantQueryOf(processName, tenant), tenant),
    }),
  };
}

/** The first run of each id. A reset leaves a closed run behind, and Temporal lists the newest run first. */
function newestRunsOf(runs: readonly WorkflowExecutionInfo[]): WorkflowExecutionInfo[] {
  const seen = new Set<string>();
  return runs.filter(({ execution }) => {
    const workflowId = execution?.workflowId ?? '';
    const isFirst = !seen.has(workflowId);
    seen.add(workflowId);
    return isFirst;
  });
}
