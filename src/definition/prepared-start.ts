import type { Gateway } from '../orchestration/gateway.ts';
import type { StartOutcome } from '../orchestration/start.ts';
import type { StartCall } from '../orchestration/start-request.ts';
import { Problem } from '../problems.ts';
import type { AskedStart, Details } from './definition.ts';

interface Given extends Pick<AskedStart, 'principal' | 'services' | 'signal'> {
  readonly gateway: Pick<Gateway, 'start' | 'findStarted'>;
}

/**
 * Starts an instance, and lets its definition prepare it where it does. What `prepare` refuses may be the repetition of a
 * start that was taken before: then the first answer stands. A missing permission is always refused.
 */
export async function startPrepared(call: StartCall, { gateway, ...asking }: Given): Promise<StartOutcome> {
  const { prepare } = call.definition;
  const { signal } = asking;
  if (prepare === undefined) return gateway.start(call, signal);
  const startedAt = new Date().toISOString();
  let details: Details;
  try {
    // The input was parsed by the schema of this very definition.
    details = await prepare({ ...asking, input: call.input as never, key: call.key, startedAt });
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'forbidden') throw error;
    const earlier = await gateway.findStarted(call, signal).catch(unknownFor);
    if (earlier === undefined) throw error;
    return earlier;
  }
  return gateway.start({ ...call, details, startedAt }, signal);
}

/** Whether the start was taken before cannot be told: its caller repeats it. */
const unknownFor = (cause: unknown): StartOutcome => ({ kind: 'unknown', cause });
