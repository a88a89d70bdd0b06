import type { Client, ConnectionLike } from '@temporalio/client';
import type { CallLimits, Connection } from './services.ts';
import type { VisibilityTurn } from './visibility-ration.ts';

/** The deadlines of calls to Temporal, in milliseconds. */
export interface Deadlines {
  readonly startMs: number;
  readonly readMs: number;
  readonly actionMs: number;
}

/** What the parts of the gateway call Temporal with. The client uses the same connection. */
export interface CallDependencies {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
  readonly deadlines: Deadlines;
  /** Not given: Temporal alone limits questions to its visibility store. */
  readonly visibilityTurn?: VisibilityTurn | undefined;
}

/**
 * Runs the calls that `call` makes over the connection within limits: those of the SDK's clients, and those over a native
 * connection.
 */
export function within<T>(
  connection: Pick<ConnectionLike, 'withDeadline' | 'withAbortSignal'>,
  { deadlineMs, signal }: CallLimits,
  call: () => Promise<T>,
): Promise<T> {
  const bounded = () => connection.withDeadline(Date.now() + deadlineMs, call);
  return signal === undefined ? bounded() : connection.withAbortSignal(signal, bounded);
}
