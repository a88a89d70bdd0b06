import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { isInstanceMissing } from './failures.ts';
import { type CallLimits, within, type WorkflowExecutionInfo } from './instances.ts';

interface RunDependencies {
  readonly connection: Connection;
  readonly namespace: string;
}

const { WorkflowExecutionStatus } = proto.temporal.api.enums.v1;

// More than one page of a list can need, unless instances were reset ten times each.
const maxRuns = 1_000;
const maxDescribes = 10;
// The alphabet of our ids, in which nothing ends a literal.
const ours = /^[A-Za-z0-9._:/~-]{1,255}$/;

/**
 * Which of these runs are leftovers: a reset goes on in another run under the same id and leaves the old one behind,
 * terminated if it ran, else with the ending it had; a run that is gone is one as well. It costs nothing where all run,
 * one List where some have closed, and one Describe for each closed run that has a sibling or was terminated, since the
 * successor of such a run may not be listed yet.
 */
export async function supersededRunsOf(
  dependencies: RunDependencies,
  runs: readonly WorkflowExecutionInfo[],
  limits: CallLimits,
): Promise<ReadonlySet<string>> {
  const closed = runs.filter(
    (run) => run.status !== WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING && ours.test(workflowIdOf(run)),
  );
  const hasSibling = await siblingsOf(dependencies, [...new Set(closed.map(workflowIdOf))], limits);
  const suspects = closed.filter(
    (run) =>
      run.status === WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED || hasSibling(workflowIdOf(run)),
  );
  const ids = [...new Set(suspects.map(workflowIdOf))];
  const current = new Map<string, string | undefined>();
  const describeRest = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      current.set(id, await currentRunIdOf(dependencies, id, limits));
    }
  };
  await Promise.all(Array.from({ length: maxDescribes }, describeRest));
  return new Set(suspects.filter((run) => runIdOf(run) !== current.get(workflowIdOf(run))).map(runIdOf));
}

const workflowIdOf = ({ execution }: WorkflowExecutionInfo): string => execution?.workflowId ?? '';
const runIdOf = ({ execution }: WorkflowExecutionInfo): string => execution?.runId ?? '';

/** Tells which of the ids have more than one run; all of them where there are too many to list. */
async function siblingsOf(
  { connection, namespace }: RunDependencies,
  workflowIds: readonly string[],
  limits: CallLimits,
): Promise<(workflowId: string) => boolean> {
  if (workflowIds.length === 0) return () => false;
  const query = `WorkflowId IN (${workflowIds.map((id) => `'${id}'`).join(', ')}) AND ExecutionStatus != 'ContinuedAsNew'`;
  const { executions, nextPageToken } = await within(connection, limits, () =>
    connection.workflowService.listWorkflowExecutions({ namespace, query, pageSize: maxRuns }),
  );
  if (nextPageToken.length > 0) return () => true;
  const counts = new Map<string, number>();
  for (const id of executions.map(workflowIdOf)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return (workflowId) => (counts.get(workflowId) ?? 0) > 1;
}

/** The run that an id stands for now; undefined where it is gone. */
async function currentRunIdOf(
  { connection, namespace }: RunDependencies,
  workflowId: string,
  limits: CallLimits,
): Promise<string | undefined> {
  try {
    const { workflowExecutionInfo } = await within(connection, limits, () =>
      connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } }),
    );
    return workflowExecutionInfo?.execution?.runId ?? undefined;
  } catch (error) {
    if (isInstanceMissing(error)) return undefined;
    throw error;
  }
}
