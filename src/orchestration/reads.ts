import { WorkflowNotFoundError } from '@temporalio/client';
import { Problem } from '../problems.ts';
import { type InstanceAddress, refOf } from './address.ts';
import { type CallDependencies, clientWithin } from './calls.ts';
import { readProblemOf } from './failures.ts';
import { workflowIdOf } from './identity.ts';
import { describeInstance, type InstanceSnapshot } from './instances.ts';

/** The gateway's part that reads one instance. */
export const createReads = (dependencies: CallDependencies) => ({
  /** One Describe, which needs no worker. Undefined where the tenant has no such instance. Throws a read Problem. */
  async describe(address: InstanceAddress, signal?: AbortSignal): Promise<InstanceSnapshot | undefined> {
    const limits = { deadlineMs: dependencies.deadlines.readMs, signal };
    return (await describeInstance(dependencies, refOf(address), limits))?.snapshot;
  },

  /**
   * What the instance's own code answers. That needs a running worker, also for a closed instance. Throws `not-found` or
   * a read Problem.
   */
  async view(address: InstanceAddress, name: string, signal?: AbortSignal): Promise<unknown> {
    const client = clientWithin(dependencies, { deadlineMs: dependencies.deadlines.readMs, signal });
    try {
      return await client.getHandle(workflowIdOf(refOf(address))).query(name);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw new Problem('not-found', { cause: error });
      throw readProblemOf(error);
    }
  },
});
