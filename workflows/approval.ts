import { condition } from '@temporalio/workflow';
import type { UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall, Actor } from '../src/catalog/envelope.ts';
import { handleAction, refuseAction } from './actions.ts';

interface Note {
  readonly note?: string | undefined;
}

interface Accepted {
  readonly accepted: true;
}

export interface Decision extends Note {
  readonly approved: boolean;
  readonly by: Actor;
}

/**
 * Lets a second person decide, once. The one who started the instance may not, nor the one it was asked for: those are
 * compared by issuer and subject, and `requestedBy`, which names no issuer, by subject alone.
 */
export function handleDecisions(options: {
  approve: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Note>]>;
  reject: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Note>]>;
  startedBy: Actor;
  requestedBy: string | undefined;
}) {
  const { approve, reject, startedBy, requestedBy } = options;
  let isAwaited = false;
  let decision: Decision | undefined;

  const handlerThat = (approved: boolean) => ({
    validate: ({ actor }: ActionCall<Note>) => {
      if (!isAwaited || decision !== undefined) refuseAction('action-not-allowed');
      const isStarter = actor.iss === startedBy.iss && actor.sub === startedBy.sub;
      if (isStarter || actor.sub === requestedBy) refuseAction('second-person-required');
    },
    apply: ({ actor, input }: ActionCall<Note>): Accepted => {
      decision = { approved, by: actor, note: input.note };
      return { accepted: true };
    },
  });
  handleAction(approve, handlerThat(true));
  handleAction(reject, handlerThat(false));

  /** Waits for the decision; undefined where none came in time. A cancel ends the wait with its failure. */
  return async function decisionWithin(timeoutMs: number): Promise<Decision | undefined> {
    isAwaited = true;
    try {
      await condition(() => decision !== undefined, timeoutMs);
      return decision;
    } finally {
      isAwaited = false;
    }
  };
}
