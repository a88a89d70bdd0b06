import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessDefinition } from '../definition/definition.ts';
import type { ToldEnd } from '../definition/permanent-row.ts';
import { retryUntilDone } from '../timing/retry.ts';
import type { CallDependencies } from './calls.ts';
import { decode } from './codec.ts';
import { readProblemOf } from './failures.ts';
import { workflowIdOf } from './identity.ts';
import { describeInstance, toSnapshot, type WorkflowExecutionInfo } from './instances.ts';
import { methods } from './methods.ts';
import { closedInstancesQueryOf } from './visibility-query.ts';

/** An instance that has closed, with what it told as its end. */
export interface ClosedInstance extends ToldEnd {
  /** RFC 3339, UTC. */
  readonly closedAt: string;
  /** Names this closing. */
  readonly runId: string;
}

const pageSize = 100;
/** Temporal answers ten such questions a second in all, and lists of callers need some of them. */
const everyMs = 200;
const retryEveryMs = 1_000;
const patienceMs = 10_000;

/** The gateway's part that looks through the instances which have closed. */
export const createClosedInstances = (dependencies: CallDependencies) => ({
  /**
   * The instances of a process, over all tenants, that closed at that time or later: page by page, the last closed first,
   * at most five pages a second. A run that was replaced by a later one is among them. Throws a read Problem where
   * Temporal does not answer for ten seconds.
   */
  async *closedSince(definition: ProcessDefinition, since: Date): AsyncGenerator<readonly ClosedInstance[]> {
    const { connection, namespace, deadlines } = dependencies;
    const query = closedInstancesQueryOf(definition.name, since);
    let nextPageToken: Uint8Array | undefined;
    do {
      const pause = sleep(everyMs);
      const page = await patiently(() =>
        connection
          .within({ deadlineMs: deadlines.readMs })
          .workflowService.listWorkflowExecutions({ namespace, query, pageSize, nextPageToken }),
      );
      yield (await Promise.all(page.executions.map(toClosed))).filter((closed) => closed !== undefined);
      nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
      await pause;
    } while (nextPageToken !== undefined);
  },

  /**
   * What a closed instance was started with. `isReplaced` where a later run of it began, which tells another end. Throws
   * a read Problem.
   */
  async startOf(
    definition: ProcessDefinition,
    { tenant, key, runId }: ClosedInstance,
  ): Promise<{ readonly isReplaced: boolean; readonly input?: unknown }> {
    const { connection, namespace, deadlines } = dependencies;
    const ref = { tenant, process: definition.name, key };
    const limits = { deadlineMs: deadlines.readMs };
    const described = await describeInstance(dependencies, ref, limits);
    if (described !== undefined && described.currentRun !== runId) return { isReplaced: true };
    const execution = { workflowId: workflowIdOf(ref), runId };
    const { history } = await patiently(() =>
      connection.call(methods.getHistory, { namespace, execution, maximumPageSize: 1 }, limits),
    );
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const envelope = await decode(started?.input?.payloads?.[0]);
    const hasInput = typeof envelope === 'object' && envelope !== null && 'input' in envelope;
    return { isReplaced: false, input: hasInput ? envelope.input : undefined };
  },
});

async function toClosed(info: WorkflowExecutionInfo): Promise<ClosedInstance | undefined> {
  const { tenant, currentRun, snapshot } = await toSnapshot(info);
  const { id, outcome, endedBy, closedAt } = snapshot;
  if (tenant === undefined || outcome === undefined || endedBy === undefined || closedAt === undefined)
    return undefined;
  return { tenant, key: id, outcome, endedBy, closedAt, runId: currentRun };
}

/** Asks again while Temporal refuses or is away, for a while. Throws a read Problem. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  let answer: { readonly value: T } | undefined;
  let failure: unknown;
  await retryUntilDone({
    work: async () => {
      answer = { value: await ask() };
    },
    everyMs: retryEveryMs,
    signal: AbortSignal.timeout(patienceMs),
    onFailure: (error) => {
      failure = error;
    },
  });
  if (answer === undefined) throw readProblemOf(failure);
  return answer.value;
}
