import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { DefaultLogger, type InjectedSinks, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Details } from '../../src/definition/definition.ts';
import type { ProcessContext } from '../../src/definition/envelope.ts';
import type { InstanceSinks } from '../../workflows/instance/steps.ts';
import { currentWorkflows, sharedBundle } from '../servers/bundles.ts';

Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });

/** A workflow file of `test/fixtures`. */
export const fixtureWorkflows = (name: string) => new URL(`../fixtures/${name}.ts`, import.meta.url).pathname;

export interface TestWorker {
  readonly taskQueue: string;
  /** The outcomes its workflows reported, replays not counted. */
  readonly outcomes: string[];
  /** Takes no further task and ends once those that run are over. */
  stop(): Promise<void>;
}

const anotherRelease = {
  useWorkerVersioning: false,
  version: { deploymentName: 'test', buildId: 'another' },
} as const;

const stepAttribute = defineSearchAttributeKey('PorticoStep', SearchAttributeType.KEYWORD);
const outcomeAttribute = defineSearchAttributeKey('PorticoOutcome', SearchAttributeType.KEYWORD);

/** A real Temporal server with workers of ours, each on a task queue that no other test uses. */
export async function openWorkers({ address }: { address: string }) {
  const [connection, native] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const client = new Client({ connection, identity: 'test' });
  const workers: TestWorker[] = [];

  async function startWorker(options: {
    activities: object;
    workflowsPath?: string | undefined;
    taskQueue?: string | undefined;
    /** New instances go on without these patches, as in a release before them. */
    patchesAsleep?: readonly string[] | undefined;
  }): Promise<TestWorker> {
    const { activities, patchesAsleep = [] } = options;
    const { taskQueue = `test-${randomUUID()}`, workflowsPath = currentWorkflows } = options;
    const outcomes: string[] = [];
    const sinks: InjectedSinks<InstanceSinks> = {
      instances: { ended: { fn: (_info, outcome) => void outcomes.push(outcome), callDuringReplay: false } },
    };
    const worker = await Worker.create({
      shutdownForceTime: '15s',
      connection: native,
      identity: 'test',
      taskQueue,
      activities,
      sinks,
      workflowBundle: await sharedBundle(workflowsPath),
      // Workers of two releases on one queue must differ, in one process.
      ...(workflowsPath === currentWorkflows ? {} : { workerDeploymentOptions: anotherRelease }),
      patchActivationCallback: ({ patchId }) => !patchesAsleep.includes(patchId),
      workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 3 },
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 3 },
    });
    const run = worker.run();
    const started = {
      taskQueue,
      outcomes,
      stop: async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await run;
      },
    };
    workers.push(started);
    return started;
  }

  return {
    client,
    startWorker,

    /** Starts an instance as the service does: envelope, id and first step. */
    start: (instance: {
      workflow: string;
      processName: string;
      taskQueue: string;
      firstStep: string;
      input: unknown;
      context: ProcessContext;
      details?: Details;
    }): Promise<WorkflowHandle> => {
      const { workflow, processName, taskQueue, firstStep, input, context, details } = instance;
      return client.workflow.start(workflow, {
        workflowId: `${context.tenant}/${processName}/${context.key}`,
        taskQueue,
        args: [{ input, context, details }],
        ...(details === undefined ? {} : { memo: { fingerprint: context.fingerprint, details } }),
        typedSearchAttributes: [{ key: stepAttribute, value: firstStep }],
      });
    },

    /** Where an instance stands and how it ended, as readers see it without asking a worker. */
    async read(handle: WorkflowHandle) {
      const { typedSearchAttributes, status } = await handle.describe();
      return {
        status: status.name,
        step: typedSearchAttributes.get(stepAttribute),
        outcome: typedSearchAttributes.get(outcomeAttribute),
      };
    },

    async close(): Promise<void> {
      // A test that failed may have left an activity behind that nothing ends any more.
      await Promise.allSettled(workers.map((worker) => worker.stop()));
      await native.close().catch(() => undefined);
      await connection.close();
    },
  };
}
