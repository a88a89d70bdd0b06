import { refOf } from './address.ts';
import type { CallDependencies } from './calls.ts';
import { fingerprintOf } from './identity.ts';
import { describeInstance } from './instances.ts';
import type { createStarts, StartOutcome } from './start.ts';
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
  async function look(call: StartCall, fingerprint: string, signal?: AbortSignal): Promise<StartOutcome | undefined> {
    const limits = { deadlineMs: dependencies.deadlines.startMs, signal };
    try {
      const existing = await describeInstance(dependencies, refOf(call), limits);
      if (existing?.fingerprint === undefined) return undefined;
      if (existing.fingerprint !== fingerprint) return { kind: 'mismatch' };
      const { snapshot } = existing;
      return { kind: snapshot.status === 'running' ? 'joined' : 'replayed', snapshot };
    } catch (cause) {
      // This caller, or another, has started the instance before.
      return { kind: 'unknown', cause };
    }
  }

  return {
    /** As {@link createStarts} has it, with one call for a duplicate that this process has seen. */
    async start(call: StartCall, signal?: AbortSignal): Promise<StartOutcome> {
      const { definition, tenant, body } = call;
      const fingerprint = call.fingerprint ?? fingerprintOf({ tenant, process: definition.name, body });
      const ref = refOf(call);
      // No part contains a space.
      const start = [ref.tenant, ref.process, ref.key, ref.generation, fingerprint].join(' ');
      const found = isKnown(start) && call.replacesClosed !== true ? await look(call, fingerprint, signal) : undefined;
      if (found !== undefined) return found;
      const outcome = await starts.start({ ...call, fingerprint }, signal);
      if ('snapshot' in outcome) remember(start);
      return outcome;
    },
  };
}
