import type { UpdateDefinition } from '@temporalio/common';
import { condition } from '@temporalio/workflow';
import type { Accepted, Admitted, Nothing, Rescheduled, Rescheduling } from '../../src/catalog/delayed-tasks.ts';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import { handleAction, refuseAction } from '../instance/actions.ts';
import { end, type Phase, type Progress, rememberAsker } from './progress.ts';

interface Actions {
  readonly reschedule: UpdateDefinition<ActionAnswer<Rescheduled>, [ActionCall<Rescheduling, Admitted>]>;
  readonly runNow: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Nothing>]>;
  readonly cancel: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Nothing>]>;
  readonly redeliver: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Nothing>]>;
}

interface Deciding {
  readonly progress: Progress;
  readonly expiresAtMs: number;
  /** Tells that the task is due at another time. */
  readonly onDueAt: () => void;
}

// Temporal lets ten actions of a run be under way at once. Cancels that wait for an attempt must leave room for others.
const maxWaiting = 4;

/**
 * Handles the actions. Each decides at once, by the phase that it finds, and changes the phase itself: what comes after it
 * finds that. So of the timer and of all actions one wins, and every other one is told that it lost. Only a cancel during
 * an attempt waits, until the attempt is over.
 */
export function handleActions({ reschedule, runNow, cancel, redeliver }: Actions, deciding: Deciding) {
  const { progress, expiresAtMs, onDueAt } = deciding;
  const cancels = { waiting: 0, by: undefined as string | undefined };

  const attemptNow = (from: readonly Phase[]) => {
    const judge = () => {
      if (progress.phase === 'ended' || Date.now() >= expiresAtMs) refuseAction('too-late');
      if (!from.includes(progress.phase)) refuseAction('action-not-allowed');
    };
    const apply = ({ actor }: ActionCall<Nothing>): Accepted => {
      judge();
      rememberAsker(progress, actor);
      if (progress.phase === 'waiting') {
        progress.dueAtMs = Date.now();
        onDueAt();
      }
      if (progress.phase === 'dead-letter') progress.counted = 0;
      progress.phase = 'delivering';
      return { accepted: true };
    };
    return { validate: judge, apply };
  };
  handleAction(runNow, attemptNow(['waiting', 'retrying']));
  handleAction(redeliver, attemptNow(['dead-letter']));

  const judgeRescheduling = () => {
    if (progress.phase !== 'waiting') refuseAction('too-late');
  };
  handleAction(reschedule, {
    validate: judgeRescheduling,
    apply: ({ actor, admitted }): Rescheduled => {
      judgeRescheduling();
      // A call without what the api resolved comes from nobody.
      if (admitted === undefined) refuseAction('action-not-allowed');
      rememberAsker(progress, actor);
      progress.dueAtMs = progress.untilMs = Date.parse(admitted.dueAt);
      onDueAt();
      return { dueAt: admitted.dueAt };
    },
  });

  handleAction(cancel, {
    validate: () => {
      if (progress.phase === 'ended') refuseAction('too-late');
      if (cancels.waiting >= maxWaiting) refuseAction('action-not-allowed');
    },
    apply: async ({ actor }): Promise<Accepted> => {
      if (progress.phase === 'delivering') {
        cancels.by ??= actor.sub;
        cancels.waiting += 1;
        await condition(() => progress.phase !== 'delivering');
      } else {
        end(progress, { outcome: 'cancelled', by: actor.sub });
      }
      return progress.ending?.outcome === 'cancelled' ? { accepted: true } : refuseAction('too-late');
    },
  });

  return {
    /** Whoever waits for the end of an attempt to cancel the task. */
    waitingCancel: (): { readonly by: string } | undefined =>
      cancels.by === undefined ? undefined : { by: cancels.by },
  };
}
