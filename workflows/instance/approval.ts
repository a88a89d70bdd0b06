import type { UpdateDefinition } from '@temporalio/common';
import { condition } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, Actor } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';
import { isSameActor } from './actor.ts';

interface Note {
  readonly note?: string | undefined;
}

type DecisionAction = UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Note>]>;

/** The people whose own request it is: they may not decide. */
interface Requesters {
  /** `startedBy` and `alsoAskedBy` of the context, and whoever started it before. Compared by issuer and subject. */
  readonly startedBy: readonly Actor[];
  /** Compared by subject alone, because it names no issuer. */
  readonly requestedBy: string | undefined;
}

export interface Decision extends Note {
  readonly approved: boolean;
  readonly by: Actor;
}

interface Decisions {
  /** Waits for a decision; undefined where none came in time. A cancel ends the wait with a `CancelledFailure`. */
  awaitDecision(options: { requesters: Requesters; timeoutMs: number }): Promise<Decision | undefined>;
  /** Refuses decisions from now on, also those that came too early: nobody is asked. */
  refuse(): void;
}

// Temporal lets ten actions of a run be under way at once. Decisions that come early must leave room for others.
const maxEarly = 4;

/**
 * Handles the two actions by which a second person decides. One decision is taken, while the workflow awaits it. A reset
 * repeats accepted decisions before the workflow knows whether it asks for one: such a decision waits until that is known.
 */
export function handleDecisions({ approve, reject }: { approve: DecisionAction; reject: DecisionAction }): Decisions {
  let isEarly = true;
  let early = 0;
  let awaited: Requesters | undefined;
  let decision: Decision | undefined;

  const judge = ({ actor }: ActionCall<Note>): void => {
    if (awaited === undefined || decision !== undefined) refuseAction('action-not-allowed');
    if (isRequester(actor, awaited)) refuseAction('second-person-required');
  };
  const handlerThat = (approved: boolean) => ({
    validate: (call: ActionCall<Note>) => {
      if (!isEarly) judge(call);
      else if (early >= maxEarly) refuseAction('action-not-allowed');
    },
    apply: async (call: ActionCall<Note>): Promise<Accepted> => {
      if (isEarly) {
        early += 1;
        await condition(() => !isEarly);
        judge(call);
      }
      decision = { approved, by: call.actor, note: call.input.note };
      return { accepted: true };
    },
  });
  handleAction(approve, handlerThat(true));
  handleAction(reject, handlerThat(false));

  return {
    async awaitDecision({ requesters, timeoutMs }) {
      awaited = requesters;
      isEarly = false;
      try {
        await condition(() => decision !== undefined, timeoutMs);
        return decision;
      } finally {
        awaited = undefined;
      }
    },
    refuse() {
      isEarly = false;
    },
  };
}

const isRequester = (actor: Actor, { startedBy, requestedBy }: Requesters): boolean =>
  actor.sub === requestedBy || startedBy.some((starter) => isSameActor(starter, actor));
