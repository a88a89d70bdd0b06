import type { UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall, Actor } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';
import { isSameActor } from './actor.ts';
import type { Compensation } from './compensation.ts';

/** What an operator may ask of a stuck compensation: try the undo again now, or settle by hand. */
type Resolution = { readonly how: 'retry' } | { readonly how: 'settle'; readonly note: string };

/** A settlement by hand: who wants it, why, and who agreed where a second person was asked. */
export interface SettlementOrder {
  readonly note: string;
  readonly settledBy: Actor;
  readonly confirmedBy?: Actor | undefined;
}

/** An accepted resolution. A settlement that another person must confirm has not been booked. */
interface Resolved extends Accepted {
  readonly awaits?: 'confirmation';
}

interface Handlers<Undone> {
  readonly compensation: Compensation<Undone>;
  /** Stuck work of the same instance that can only be tried again. */
  readonly retryable: Pick<Compensation<unknown>, 'isBlocked' | 'retryNow'>;
  /** Answers how it ended, and undefined where nothing can be settled: the undo then goes on. */
  readonly settle: (order: SettlementOrder) => Promise<Undone | 'second-person-required' | undefined>;
  readonly onProposed: () => void;
  readonly onWithdrawn: () => void;
}

/**
 * Handles the actions by which operators resolve a stuck compensation; at any other time they are refused. Where a second
 * person must agree, `resolve` proposes a settlement and `confirm` by another actor books it. A retry withdraws the
 * proposal, and so does an undo that succeeds.
 */
export function handleResolutions<Undone extends { readonly outcome: string }>(
  { resolve, confirm }: Actions,
  { compensation, retryable, settle, onProposed, onWithdrawn }: Handlers<Undone>,
) {
  let proposal: SettlementOrder | undefined;

  async function settleAs(order: SettlementOrder): Promise<Resolved> {
    const replaced = compensation.replaceBy(async () => {
      const settled = await settle(order);
      if (settled !== 'second-person-required') return settled;
      proposal = order;
      onProposed();
      return undefined;
    });
    // A settlement that fails or is given up is told as `action-failed`: a late attempt may still book it, and no
    // repetition could tell, because this answer is kept.
    const undone = await replaced;
    if (proposal === order) return { accepted: true, awaits: 'confirmation' };
    if (undone === undefined) refuseAction('action-not-allowed');
    return undone.outcome === 'settled' ? { accepted: true } : refuseAction('too-late');
  }

  function retry(): Resolved {
    if (proposal !== undefined) onWithdrawn();
    proposal = undefined;
    compensation.retryNow();
    retryable.retryNow();
    return { accepted: true };
  }

  handleAction(resolve, {
    validate: ({ input }) => {
      const isAllowed =
        input.how === 'retry' ? compensation.isBlocked() || retryable.isBlocked() : compensation.isStuck();
      if (!isAllowed) refuseAction('action-not-allowed');
    },
    apply: ({ input, actor }) => (input.how === 'retry' ? retry() : settleAs({ note: input.note, settledBy: actor })),
  });

  handleAction(confirm, {
    validate: ({ actor }) => {
      if (proposal === undefined || !compensation.isStuck()) refuseAction('action-not-allowed');
      if (isSameActor(actor, proposal.settledBy)) refuseAction('second-person-required');
    },
    apply: ({ actor }): Promise<Accepted> | Accepted =>
      proposal === undefined ? refuseAction('action-not-allowed') : settleAs({ ...proposal, confirmedBy: actor }),
  });

  return {
    /** The settlement that waits for a second person. */
    proposal: () => proposal,
  };
}

interface Actions {
  readonly resolve: UpdateDefinition<ActionAnswer<Resolved>, [ActionCall<Resolution>]>;
  readonly confirm: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<unknown>]>;
}
