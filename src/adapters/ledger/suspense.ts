import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Actor } from '../../definition/envelope.ts';
import { isSameActor } from './actors.ts';
import { type AccountRefusal, move } from './ledger.ts';
import type { TransferKey } from './phases.ts';
import {
  type Held,
  insertProposal,
  insertRelease,
  type Proposal,
  readHeld,
  readProposal,
  readRelease,
  readSettled,
  type Release,
  type ReleaseOrder,
} from './suspense-rows.ts';

/** Proposals and releases are only ever added to. */
export const suspenseGrants = {
  suspense_proposals: ['select', 'insert'],
  suspense_releases: ['select', 'insert'],
} satisfies Grants;

/** Names the proposal that a second person has seen. */
interface Confirmation extends TransferKey {
  readonly proposal: number;
  readonly by: Actor;
}

/**
 * `released`: the one release of this transfer, by this call or an earlier one with the same account and note.
 * `conflict`: the money was released otherwise before. `absent`: the tenant has no such transfer in suspense. `refused`:
 * the account does not take the money, and nothing was written.
 */
export type Released =
  | { readonly kind: 'released'; readonly release: Release }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly reason: AccountRefusal };

/** `proposed`: waits for another person. An equal order of the same person is one proposal. */
export type Proposed = Released | { readonly kind: 'proposed'; readonly proposal: Proposal };

/** `superseded`: a newer proposal counts, or there is none of that number. */
export type Confirmed = Released | { readonly kind: 'superseded' } | { readonly kind: 'same-person' };

export type Suspense = ReturnType<typeof createSuspense>;

/**
 * The way of settled money out of suspense, once for each transfer and for ever. Amount and currency are the
 * transfer's. Rejects as `Database` does; repeating a call tells an unknown effect.
 */
export const createSuspense = (database: Database) => ({
  /** Settled transfers of a tenant whose money was not released, by their ids. `next` goes on with the following page. */
  async listHeld(asked: {
    readonly tenant: string;
    readonly limit: number;
    readonly after?: string | undefined;
  }): Promise<{ readonly items: readonly Held[]; readonly next: string | undefined }> {
    const items = await readHeld(database, { ...asked, limit: asked.limit + 1 });
    const page = items.slice(0, asked.limit);
    return { items: page, next: items.length > page.length ? page.at(-1)?.transferId : undefined };
  },

  /** Moves the money from suspense to an account. */
  release: (order: ReleaseOrder): Promise<Released> =>
    database.transaction(async (tx) => {
      const released = await releaseIn(tx, order);
      if (released.kind === 'refused') tx.rollBack();
      return released;
    }),

  /** Keeps where the money is to go, until another person confirms it. The newest proposal counts. */
  propose: (order: ReleaseOrder): Promise<Proposed> =>
    database.transaction(async (tx) => {
      const held = await readSettled(tx, order);
      if (held === undefined) return { kind: 'absent' };
      const release = await readRelease(tx, order);
      if (release !== undefined) return answerOf(release, order);
      const reason = await refusalOf(tx, { ...order, currency: held.currency });
      if (reason !== undefined) return { kind: 'refused', reason };
      for (;;) {
        const latest = await readProposal(tx, order);
        if (latest !== undefined && isSameProposal(latest, order)) return { kind: 'proposed', proposal: latest };
        const proposal = await insertProposal(tx, order, (latest?.number ?? 0) + 1);
        // Undefined where another proposal has taken the number meanwhile: that one is looked at first.
        if (proposal !== undefined) return { kind: 'proposed', proposal };
      }
    }),

  /** Moves the money as the newest proposal says, where somebody else has made that one. */
  confirm: ({ proposal: number, by, ...key }: Confirmation): Promise<Confirmed> =>
    database.transaction(async (tx) => {
      if ((await readSettled(tx, key)) === undefined) return { kind: 'absent' };
      // A repetition is told what its first attempt did, also where a newer proposal stands.
      const release = await readRelease(tx, key);
      if (release?.proposal === number && !isSameActor(release.releasedBy, by)) return { kind: 'released', release };
      const latest = await readProposal(tx, key);
      if (latest?.number !== number) return { kind: 'superseded' };
      if (isSameActor(latest.proposedBy, by)) return { kind: 'same-person' };
      const { to, note, proposedBy } = latest;
      const released = await releaseIn(tx, { ...key, to, note, by: proposedBy, confirmed: { proposal: number, by } });
      if (released.kind === 'refused') tx.rollBack();
      return released;
    }),
});

async function releaseIn(tx: Queryable, order: ReleaseOrder): Promise<Released> {
  const held = await readSettled(tx, order);
  if (held === undefined) return { kind: 'absent' };
  const { currency, amountMinor } = held;
  // Of two releases at once, one waits here for the other.
  const isFirst = await insertRelease(tx, order, held);
  if (isFirst) {
    const { tenant, transferId, to: accountId } = order;
    const postingId = `transfer/${transferId}/release`;
    const reason = await move(tx, { tenant, postingId, currency, accountId, amountMinor, against: 'suspense' });
    if (reason === 'insufficient-funds') throw new Error('an account cannot be too poor to receive');
    if (reason !== undefined) return { kind: 'refused', reason };
  }
  const release = await readRelease(tx, order);
  if (release === undefined) throw new Error('a release that was written is not there');
  return answerOf(release, order);
}

const answerOf = (release: Release, { to, note }: ReleaseOrder): Released =>
  release.to === to && release.note === note ? { kind: 'released', release } : { kind: 'conflict' };

/** Why an account will not take the money, as it stands now. */
async function refusalOf(
  from: Queryable,
  { tenant, to, currency }: ReleaseOrder & { readonly currency: string },
): Promise<AccountRefusal | undefined> {
  const [account] = await from.query<{ currency: string; frozen: boolean }>(
    `select currency, frozen from accounts where tenant = $1 and account_id = $2 and kind = 'customer'`,
    [tenant, to],
  );
  if (account === undefined) return 'account-unknown';
  if (account.currency !== currency) return 'currency-differs';
  return account.frozen ? 'account-frozen' : undefined;
}

const isSameProposal = (proposal: Proposal, { to, note, by }: ReleaseOrder): boolean =>
  proposal.to === to && proposal.note === note && isSameActor(proposal.proposedBy, by);
