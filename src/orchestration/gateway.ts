import { createActions } from './actions.ts';
import type { Deadlines } from './calls.ts';
import { createClosedInstances } from './closed.ts';
import { createLists } from './lists.ts';
import { createReads } from './reads.ts';
import { createResults } from './results.ts';
import { createRevivals } from './revivals.ts';
import type { Connection } from './services.ts';
import { createStarts, type EagerStarts } from './start.ts';
import type { VisibilityTurn } from './visibility-ration.ts';

/**
 * What the rest of Portico asks of Temporal. The gateway speaks of processes and instances; workflows, runs and task
 * queues stay behind it. One gateway serves both roles of a process.
 */
export const createGateway = (dependencies: {
  readonly connection: Connection;
  readonly namespace: string;
  readonly deadlines: Deadlines;
  /** Signs the cursors of lists. Without it `list` throws. */
  readonly cursorSecret?: Uint8Array | undefined;
  readonly eagerStarts?: EagerStarts | undefined;
  /** Not given: Temporal alone limits questions to its visibility store. */
  readonly visibilityTurn?: VisibilityTurn | undefined;
}) => ({
  ...createStarts(dependencies),
  ...createReads(dependencies),
  ...createResults(dependencies),
  ...createActions(dependencies),
  ...createLists(dependencies),
  ...createRevivals(dependencies),
  ...createClosedInstances(dependencies),
});

export type Gateway = ReturnType<typeof createGateway>;
