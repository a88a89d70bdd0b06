import type { RawRequest } from './http-client.ts';
import type { RequestContext } from './requests.ts';
import type { ClosedLoop, OpenLoop, Send, Window } from './window.ts';
import { closedLoop, openLoop } from './window.ts';

/** A load that a child is asked to make. */
export interface LoadTask {
  /** A kind of request, or requests that are sent in turn, again and again. */
  readonly kind: string | RawRequest | readonly RawRequest[];
  readonly context: RequestContext;
  readonly loop: ClosedLoop | OpenLoop;
  /** All processes of the benchmark. */
  readonly pids: readonly number[];
}

/** Makes the load. Sends by kind are the child's own. */
export function runLoad(
  { kind, context, loop, pids }: LoadTask,
  sends: (kind: LoadTask['kind'], context: RequestContext) => Send,
): Promise<Window> {
  const send = sends(kind, context);
  return 'callers' in loop ? closedLoop(send, loop, pids) : openLoop(send, loop, pids);
}
