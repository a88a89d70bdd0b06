import type { UpdateDefinition } from '@temporalio/common';
import { condition } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, Actor } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';

interface Note {
  readonly note?: string | undefined;
}

type DecisionAction = UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Note>]>;

/** The people whose own request it is: they may not decide. */
interface Requesters {
  /** Compared by issuer and subject. */
  readonly startedBy: readonly Actor[];
  /** Compared by subject alone, because it names no issuer. */
  readonly requestedBy: string | undefined;
}

export interface Decision extends Note {
  readonly approved: boolean;
  readonly by: Actor;
}

/** Waits for a decision; undefined where none came in time. A cancel ends the wait with a `CancelledFailure`. */
type AwaitDecision = (options: { requesters: Requesters; timeoutMs: number }) => Promise<Decision | undefined>;

/** Handles the two actions by which a second person decides. One decision is taken, while the workflow awaits it. */
export function handleDecisions({
  approve,
  reject,
}: {
  approve: DecisionAction;
  reject: DecisionAction;
}): AwaitDecision {
  let awaited: Requesters | undefined;
  let decision: Decision | undefined;

  const handlerThat = (approved: boolean) => ({
    validate: ({ actor }: ActionCall<Note>) => {
      if (awaited === undefined || decision !== undefined) refuseAction('action-not-allowed');
      if (isRequester(actor, awaited)) refuseAction('second-person-required');
    },
    apply: ({ actor, input }: ActionCall<Note>): Accepted => {
      decision = { approved, by: actor, note: input.note };
      return { accepted: true };
    },
  });
  handleAction(approve, handlerThat(true));
  handleAction(reject, handlerThat(false));

  return async ({ requesters, timeoutMs }) => {
    awaited = requesters;
    try {
      await condition(() => decision !== undefined, timeoutMs);
      return decision;
    } finally {
      awaited = undefined;
    }
  };
}

const isRequester = ({ iss, sub }: Actor, { startedBy, requestedBy }: Requesters): boolean =>
  sub === requestedBy || startedBy.some((starter) => starter.iss === iss && starter.sub === sub);
