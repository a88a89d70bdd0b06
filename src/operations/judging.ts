import type { ActionDefinition, Details, Prepare } from '../definition/definition.ts';
import type { StartOutcome } from '../orchestration/start.ts';
import type { StartCall } from '../orchestration/start-request.ts';
import { Problem } from '../problems.ts';
import type { Call, Services } from './operation.ts';
import { type addressOf, describe } from './reads.ts';

type Asking = Pick<Call, 'principal' | 'signal'>;

/**
 * Starts an instance that its definition prepares. What `prepare` refuses may be the repetition of a start that was taken
 * before: then the first answer stands. A missing permission is always refused.
 */
export async function prepareAndStart(
  prepare: Prepare,
  request: StartCall,
  { principal, signal }: Asking,
  services: Services,
): Promise<StartOutcome> {
  const { gateway } = services;
  const startedAt = new Date().toISOString();
  let details: Details;
  try {
    // The routes have parsed the input by the schema of this very definition.
    const input = request.input as never;
    details = await prepare({ input, key: request.key, startedAt, principal, services, signal });
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'forbidden') throw error;
    const earlier = await gateway.findStarted(request, signal).catch(unknownFor);
    if (earlier === undefined) throw error;
    return earlier;
  }
  return gateway.start({ ...request, details, startedAt }, signal);
}

/** Whether the start was taken before cannot be told: its caller repeats it. */
const unknownFor = (cause: unknown): StartOutcome => ({ kind: 'unknown', cause });

/** What `admit` of an action gives; undefined where the action has none. Throws what it refuses with, or `not-found`. */
export async function admit(
  { admit: judge }: ActionDefinition,
  address: ReturnType<typeof addressOf>,
  call: Asking & { readonly body: unknown },
  services: Services,
): Promise<unknown> {
  if (judge === undefined) return undefined;
  const { principal, signal } = call;
  const instance = await describe(address, call, services);
  return judge({ input: call.body as never, instance, principal, services, signal });
}
