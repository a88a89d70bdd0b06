import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Bench } from './bench.ts';

/** What Temporal's record of one instance says. */
export interface Recorded {
  readonly events: number;
  readonly workflowTasks: number;
  readonly activities: number;
  /** Whether its first step came with the answer to its start. */
  readonly isEager: boolean;
}

/** Which instances are looked at: those that completed, of one workflow. */
interface Wanted {
  readonly workflow: string;
  /** Begins the keys that were started. Not given: all. */
  readonly prefix?: string;
  readonly startedAfter?: Date;
  /** At most so many, the last that completed. */
  readonly most: number;
}

/** Instances are in Temporal's lists some time after they ended. */
const listedAfterMs = 2_000;

/** Reads the histories of instances that have completed. */
export async function completedHistories({ temporal }: Bench, wanted: Wanted): Promise<Recorded[]> {
  const { workflow, prefix = '', startedAfter, most } = wanted;
  await sleep(listedAfterMs);
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const conditions = [
    `WorkflowType = '${workflow}'`,
    "ExecutionStatus = 'Completed'",
    ...(startedAfter === undefined ? [] : [`StartTime > '${startedAfter.toISOString()}'`]),
  ];
  const found: Recorded[] = [];
  for await (const { workflowId } of client.workflow.list({ query: conditions.join(' AND '), pageSize: 100 })) {
    if (!workflowId.includes(`/${prefix}`)) continue;
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    found.push(recordedIn(events ?? []));
    if (found.length === most) break;
  }
  await connection.close();
  return found;
}

type Event = NonNullable<Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']>[0];

const recordedIn = (events: readonly Event[]): Recorded => ({
  events: events.length,
  workflowTasks: events.filter((event) => event.workflowTaskCompletedEventAttributes).length,
  activities: events.filter((event) => event.activityTaskCompletedEventAttributes).length,
  isEager: events[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted === true,
});

/** The share of instances whose first step came with the answer to their start, from 0 to 1. NaN where there are none. */
export const eagerShareOf = (recorded: readonly Recorded[]): number =>
  recorded.filter(({ isEager }) => isEager).length / recorded.length;
