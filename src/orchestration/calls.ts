import { type ConnectionLike, WorkflowClient } from '@temporalio/client';
import { dataConverter } from './codec.ts';
import type { CallLimits, Connection } from './services.ts';
import type { VisibilityTurn } from './visibility-ration.ts';

/** The deadlines of calls to Temporal, in milliseconds. */
export interface Deadlines {
  readonly startMs: number;
  readonly readMs: number;
  readonly actionMs: number;
}

/** What the parts of the gateway call Temporal with. */
export interface CallDependencies {
  readonly connection: Connection;
  readonly namespace: string;
  readonly deadlines: Deadlines;
  /** Not given: Temporal alone limits questions to its visibility store. */
  readonly visibilityTurn?: VisibilityTurn | undefined;
}

/** The SDK's client for calls that together keep within the limits: their time runs from now. */
export const clientWithin = (
  { connection, namespace }: Pick<CallDependencies, 'connection' | 'namespace'>,
  limits: CallLimits,
): WorkflowClient => new WorkflowClient({ connection: connection.within(limits), namespace, dataConverter });

/** Runs the calls that `call` makes over a native connection until their deadline. */
export const withinNative = <T>(
  connection: Pick<ConnectionLike, 'withDeadline'>,
  { deadlineMs }: Pick<CallLimits, 'deadlineMs'>,
  call: () => Promise<T>,
): Promise<T> => connection.withDeadline(Date.now() + deadlineMs, call);
