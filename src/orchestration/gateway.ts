import { createActions } from './actions.ts';
import type { Deadlines } from './calls.ts';
import { createClosedInstances } from './closed.ts';
import { createKnownStarts } from './known-starts.ts';
import { createLists } from './lists.ts';
import { createReads } from './reads.ts';
import { createResults } from './results.ts';
import { createRevivals } from './revivals.ts';
import { createScheduleLists } from './schedules/lists.ts';
import { createSchedules } from './schedules/schedules.ts';
import type { Connection } from './services.ts';
import { createStarts, type EagerStarts } from './start.ts';
import type { VisibilityTurn } from './visibility-ration.ts';

/** The task queue of the firings of schedules. */
export const defaultLaunchQueue = 'launches';

/**
 * What the rest of Portico asks of Temporal. The gateway speaks of processes and instances; workflows, runs and task
 * queues stay behind it. One gateway serves both roles of a process.
 */
export function createGateway(dependencies: {
  readonly connection: Connection;
  readonly namespace: string;
  readonly deadlines: Deadlines;
  /** Signs the cursors of lists. Without it `list` throws. */
  readonly cursorSecret?: Uint8Array | undefined;
  readonly eagerStarts?: EagerStarts | undefined;
  /** Where the firings of schedules are worked on. */
  readonly launchQueue?: string | undefined;
  /** Not given: Temporal alone limits questions to its visibility store. */
  readonly visibilityTurn?: VisibilityTurn | undefined;
}) {
  const starts = createStarts(dependencies);
  return {
    ...starts,
    ...createKnownStarts(dependencies, starts),
    ...createReads(dependencies),
    ...createResults(dependencies),
    ...createActions(dependencies),
    ...createLists(dependencies),
    ...createRevivals(dependencies),
    ...createClosedInstances(dependencies),
    ...createSchedules({ ...dependencies, launchQueue: dependencies.launchQueue ?? defaultLaunchQueue }),
    ...createScheduleLists(dependencies),
  };
}

export type Gateway = ReturnType<typeof createGateway>;
