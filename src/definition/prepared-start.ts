import type { Gateway } from '../orchestration/gateway.ts';
import type { OpenPlace } from '../orchestration/open-counts.ts';
import type { StartOutcome } from '../orchestration/start.ts';
import type { StartCall } from '../orchestration/start-request.ts';
import { Problem } from '../problems.ts';
import type { AskedStart, Details } from './definition.ts';

interface Given extends Pick<AskedStart, 'principal' | 'services' | 'signal'> {
  readonly gateway: Pick<Gateway, 'start' | 'findStarted' | 'admitOpen'>;
}

/**
 * Starts an instance, and lets its definition prepare it where it does. What `prepare` or the limit of open instances
 * refuses may be the repetition of a start that was taken before: then the first answer stands. A missing permission is
 * always refused.
 */
export async function startPrepared(call: StartCall, given: Given): Promise<StartOutcome> {
  const { gateway, signal } = given;
  const { prepare, openLimit } = call.definition;
  if (prepare === undefined && openLimit === undefined) return gateway.start(call, signal);
  let prepared: Prepared;
  try {
    prepared = await judge(call, given);
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'forbidden') throw error;
    const earlier = await gateway.findStarted(call, signal).catch(unknownFor);
    if (earlier === undefined) throw error;
    return earlier;
  }
  return startIn(prepared, call, given);
}

/** A start that may be sent. */
interface Prepared {
  readonly startedAt: string;
  readonly details?: Details | undefined;
  readonly place?: OpenPlace | undefined;
}

async function judge(call: StartCall, { gateway, ...asking }: Given): Promise<Prepared> {
  const { definition, key, tenant } = call;
  const startedAt = new Date().toISOString();
  // The input was parsed by the schema of this very definition.
  const details = await definition.prepare?.({ ...asking, input: call.input as never, key, startedAt });
  const limit = definition.openLimit?.(asking.services.settingsOf);
  if (limit === undefined) return { startedAt, details };
  const place = await gateway.admitOpen({ process: definition.name, tenant, limit });
  if (place === undefined) throw new Problem('limit-reached');
  return { startedAt, details, place };
}

/** A start that creates nothing gives its place back. Of one without an answer nobody knows. */
async function startIn({ place, ...facts }: Prepared, call: StartCall, { gateway, signal }: Given) {
  try {
    const outcome = await gateway.start({ ...call, ...facts }, signal);
    if (outcome.kind !== 'created' && outcome.kind !== 'unknown') place?.giveBack();
    return outcome;
  } catch (error) {
    place?.giveBack();
    throw error;
  }
}

/** Whether the start was taken before cannot be told: its caller repeats it. */
const unknownFor = (cause: unknown): StartOutcome => ({ kind: 'unknown', cause });
