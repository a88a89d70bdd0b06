import { refOf } from './address.ts';
import type { CallDependencies } from './calls.ts';
import { type createStarts, lookUp, startFingerprintOf, type StartOutcome } from './start.ts';
import type { StartCall } from './start-request.ts';

/** A process remembers so many starts, the latest, and up to twice as many. One takes a quarter of a kilobyte. */
const generationSize = 2_048;

/**
 * Looks before it starts, where this process has seen the same start succeed: a caller who repeats one is answered by one
 * read. A start that the server refuses costs it as much as a fresh one. What is found decides, and not what is remembered.
 */
export function createKnownStarts(dependencies: CallDependencies, starts: ReturnType<typeof createStarts>) {
  /** The older generation is dropped whole: to look for the oldest start would cost each fresh one. */
  let young = new Set<string>();
  let old = young;

  function remember(start: string): void {
    if (young.size >= generationSize) [old, young] = [young, new Set()];
    young.add(start);
  }

  const isKnown = (start: string): boolean => young.has(start) || old.has(start);

  /** Undefined where the start itself has to tell. */
  const look = (call: StartCall, signal?: AbortSignal): Promise<StartOutcome | undefined> =>
    lookUp(dependencies, call, { deadlineMs: dependencies.deadlines.startMs, signal }).catch((cause: unknown) =>
      // This caller, or another, has started the instance before.
      ({ kind: 'unknown', cause }),
    );

  return {
    /** As {@link createStarts} has it, with one call for a duplicate that this process has seen. */
    async start(asked: StartCall, signal?: AbortSignal): Promise<StartOutcome> {
      const fingerprint = startFingerprintOf(asked);
      const call = { ...asked, fingerprint };
      const ref = refOf(call);
      // No part contains a space.
      const start = [ref.tenant, ref.process, ref.key, ref.generation, fingerprint].join(' ');
      const found = isKnown(start) && call.replacesClosed !== true ? await look(call, signal) : undefined;
      if (found !== undefined) return found;
      const outcome = await starts.start(call, signal);
      if ('snapshot' in outcome) remember(start);
      return outcome;
    },
  };
}
