import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { createScheduleActivities } from '../../activities/schedules.ts';
import type { ScheduledLaunch } from '../../src/definition/scheduled-launch.ts';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createGateway } from '../../src/orchestration/gateway.ts';
import { Problem } from '../../src/problems.ts';
import { allotmentsV1 } from '../fixtures/allotments.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { judgesNothing } from './judging.ts';
import { until } from './until.ts';
import { fixtureWorkflows, openWorkers } from './workers.ts';

const deadlines = { startMs: 25_000, readMs: 25_000, actionMs: 25_000 };

/** Firings of schedules of the process for tests, through the real workflow, activities, gateway and server. */
export async function openLaunches({ address }: { address: string }) {
  const workers = await openWorkers({ address });
  const { connection, close } = createConnection({ settings: { address, tls: false }, observe: () => undefined });
  const gateway = createGateway({ connection, namespace: 'default', deadlines });
  const probes = await workers.startWorker({ activities: {}, workflowsPath: fixtureWorkflows('workflows') });
  const definition = { ...probesV1, taskQueue: probes.taskQueue };
  const tenant = `tenant-${randomUUID().slice(0, 8)}`;
  const results: string[] = [];
  let lostAnswers = 0;
  let refusesCancels = false;
  let refusesNext = false;
  const refusedKeys = new Set<string>();
  const activities = createScheduleActivities({
    gateway: {
      ...gateway,
      // What the process for tests calls finish stands for the cancel of others.
      act: (request, signal) => {
        const cancelKey = request.idempotencyKey ?? '';
        if (refusesNext) refusedKeys.add(cancelKey);
        refusesNext = false;
        if (refusesCancels || refusedKeys.has(cancelKey)) throw new Problem('action-not-allowed');
        return gateway.act({ ...request, action: 'finish' }, signal);
      },
      start: async (call, signal) => {
        const started = await gateway.start(call, signal);
        if (lostAnswers === 0) return started;
        lostAnswers -= 1;
        return { kind: 'unknown', cause: new Error('the worker was killed') };
      },
    },
    definitions: [definition, { ...allotmentsV1, taskQueue: probes.taskQueue }],
    judging: judgesNothing,
    permanentRows: {},
    observeFiring: (_process, result) => void results.push(result),
  });
  const { taskQueue } = await workers.startWorker({ activities });

  async function begin(options: Partial<ScheduledLaunch> & { readonly key?: string; readonly begun?: object } = {}) {
    const { key, begun: known, ...given } = options;
    const schedule = `s${randomUUID().slice(0, 8)}`;
    const startedBy = { iss: 'https://issuer.test', sub: 'sam' };
    const input = { mode: 'wait' };
    const launch = { tenant, schedule, process: 'probes', input, startedBy, waits: true, catchUpMs: 60_000, ...given };
    const begun = key === undefined ? [] : [{ key, result: 'created', sinceMs: Date.now(), ...known }];
    const handle = await workers.client.workflow.start('launches', {
      workflowId: `${tenant}/schedules/${schedule}`,
      taskQueue,
      args: [{ launch }, ...begun],
    });
    const id = async (): Promise<string> => {
      const { startTime } = await handle.describe();
      return key ?? `${schedule}.${startTime.toISOString().replace(/\.[0-9]+Z$/, 'Z')}`;
    };
    const addressOf = async () => ({ definition, tenant, key: await id() });
    return {
      handle: handle as WorkflowHandle,
      id,
      result: (): Promise<unknown> => handle.result(),
      describe: async () => gateway.describe(await addressOf()),
      /** Resolves once the instance runs. */
      started: async () =>
        until(
          async () => gateway.describe(await addressOf()),
          (snapshot) => snapshot?.status === 'running',
        ),
      /** `RUNNING` once it has looked at the instance so often, or its result where it has ended before. */
      async looks(count: number): Promise<unknown> {
        const ask = async () => ({
          status: (await handle.describe()).status.name,
          events: (await handle.fetchHistory()).events ?? [],
        });
        const isLook = ({ activityTaskScheduledEventAttributes: scheduled }: temporal.api.history.v1.IHistoryEvent) =>
          scheduled?.activityType?.name === 'look';
        const isDone = ({ status, events }: Awaited<ReturnType<typeof ask>>) =>
          status !== 'RUNNING' || events.filter(isLook).length >= count;
        const { status } = await until(ask, isDone);
        return status === 'RUNNING' ? status : handle.result();
      },
      finish: async () =>
        gateway.act({ ...(await addressOf()), action: 'finish', body: {}, input: {}, actor: startedBy }),
      terminate: async () => workers.client.workflow.getHandle(`${tenant}/probes/${await id()}`).terminate(),
    };
  }

  return {
    begin,
    results,
    /** The next cancel is refused, and stays so under its key. */
    refuseNextCancel: () => void (refusesNext = true),
    /** The answers of the next starts are lost, as when their worker is killed. */
    loseAnswers: (count: number) => void (lostAnswers = count),
    /** Whether instances refuse to be cancelled from now on. */
    refuseCancels: (isSo: boolean) => void (refusesCancels = isSo),
    /** How many runs of instances there are under an id. */
    async runsOf(id: string): Promise<number> {
      const query = `WorkflowId = '${tenant}/probes/${id}'`;
      let count = 0;
      for await (const _ of workers.client.workflow.list({ query })) count += 1;
      return count;
    },
    async close(): Promise<void> {
      await workers.close();
      await close();
    },
  };
}

export type Launches = Awaited<ReturnType<typeof openLaunches>>;
