import type { Database, Queryable } from '../../database/database.ts';
import type { TransferKey } from './phases.ts';
import {
  readTransfer,
  recordReserve,
  recordResolve,
  type RejectReason,
  rejectReserve,
  type ResolveOutcome,
  type Transfer,
} from './phases.ts';
import { postInternally, postToCustomer } from './postings.ts';

/** `conflict`: no money was taken, because the transfer had been `voided` or had `ended` before. */
export type Withdrawn =
  | { readonly kind: 'reserved' }
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  | { readonly kind: 'conflict'; readonly with: 'voided' | 'ended' };

/**
 * `refused`: nothing was written, and reserved money waits for a refund. The last three reasons say that nothing was
 * reserved; a correct process never gets them.
 */
export type Deposited =
  | { readonly kind: 'posted' }
  | {
      readonly kind: 'refused';
      readonly reason: AccountRefusal | 'nothing-reserved' | 'withdrawal-rejected' | 'withdrawal-voided';
    }
  | { readonly kind: 'conflict'; readonly with: 'refunded' | 'settled' };

/** `voided`: nothing was reserved, and never will be. `nothing-reserved`: the withdrawal had been rejected. */
export type Refunded =
  | { readonly kind: 'refunded' }
  | { readonly kind: 'voided' }
  | { readonly kind: 'nothing-reserved' }
  | { readonly kind: 'blocked'; readonly reason: AccountRefusal }
  | { readonly kind: 'conflict'; readonly with: 'posted' | 'settled' };

export type Settled =
  | { readonly kind: 'settled' }
  | { readonly kind: 'nothing-reserved' }
  | { readonly kind: 'conflict'; readonly with: 'posted' | 'refunded' };

/** Why an account does not take money. */
export type AccountRefusal = Exclude<RejectReason, 'insufficient-funds'>;

export type Ledger = ReturnType<typeof createLedger>;

/**
 * The money of transfers, in two phases. Reserve takes it from the payer into clearing; resolve moves it from there to
 * the payee, to the payer, or into suspense. Amount and accounts are those of the transfer's permanent row.
 *
 * Every operation may be repeated, delayed, and run beside any other: each phase is reached once, and the answer says
 * how. Rejects as `Database` does. Repeating an operation tells an unknown effect.
 */
export const createLedger = (database: Database) => ({
  /**
   * Payer to clearing. Both accounts must exist in the transfer's currency; a frozen payer gives nothing. Rejects where a
   * required approval is missing: the steps before had to record it.
   */
  withdraw: (key: TransferKey): Promise<Withdrawn> =>
    database.transaction(async (tx) => {
      // The lock keeps the transfer from ending meanwhile: an ended transfer takes no money.
      const transfer = await readTransfer(tx, key, { lock: true });
      if (transfer.reserve !== null || transfer.is_ended) return withdrawnOf(transfer);
      if (transfer.is_unapproved) throw new Error('the transfer needs an approval that nobody has given');
      if (!(await recordReserve(tx, key, 'reserved'))) return withdrawnOf(await readTransfer(tx, key));
      const reason = await takeFromPayer(tx, key, transfer);
      if (reason === undefined) return { kind: 'reserved' };
      await rejectReserve(tx, key, reason);
      return { kind: 'rejected', reason };
    }),

  /** Clearing to payee. */
  deposit: (key: TransferKey): Promise<Deposited> =>
    database.transaction(async (tx) => {
      const transfer = await readTransfer(tx, key);
      if (transfer.reserve !== 'reserved') return { kind: 'refused', reason: withoutReserve(transfer) };
      const before = await resolveAs('posted', tx, key);
      if (before !== undefined) return before;
      const reason = await giveTo(transfer.payee_id, tx, key, transfer);
      if (reason === undefined) return { kind: 'posted' };
      tx.rollBack();
      return { kind: 'refused', reason };
    }),

  /** Clearing to payer. Where nothing was withdrawn, it voids the transfer, which forbids a late withdrawal. */
  refund: (key: TransferKey): Promise<Refunded> =>
    database.transaction(async (tx) => {
      if (await recordReserve(tx, key, 'voided')) return { kind: 'voided' };
      const transfer = await readTransfer(tx, key);
      if (transfer.reserve === 'voided') return { kind: 'voided' };
      if (transfer.reserve !== 'reserved') return { kind: 'nothing-reserved' };
      const before = await resolveAs('refunded', tx, key);
      if (before !== undefined) return before;
      const reason = await giveTo(transfer.payer_id, tx, key, transfer);
      if (reason === undefined) return { kind: 'refunded' };
      tx.rollBack();
      return { kind: 'blocked', reason };
    }),

  /** Clearing to suspense, where people settle the money by hand. */
  settle: (key: TransferKey): Promise<Settled> =>
    database.transaction(async (tx) => {
      const transfer = await readTransfer(tx, key);
      if (transfer.reserve !== 'reserved') return { kind: 'nothing-reserved' };
      const before = await resolveAs('settled', tx, key);
      if (before !== undefined) return before;
      await postInternally(tx, { ...postingOf(key, transfer, 'resolve'), from: 'clearing', to: 'suspense' });
      return { kind: 'settled' };
    }),
});

function withdrawnOf({ reserve, reason }: Transfer): Withdrawn {
  switch (reserve) {
    case 'reserved':
      return { kind: 'reserved' };
    case 'rejected':
      if (reason === null) throw new Error('a rejected withdrawal has no reason');
      return { kind: 'rejected', reason };
    case 'voided':
      return { kind: 'conflict', with: 'voided' };
    case null:
      return { kind: 'conflict', with: 'ended' };
  }
}

function withoutReserve({ reserve }: Transfer) {
  if (reserve === 'rejected') return 'withdrawal-rejected';
  return reserve === 'voided' ? 'withdrawal-voided' : 'nothing-reserved';
}

/** `undefined` where this call resolved the transfer, else how it was resolved before. */
async function resolveAs<Mine extends ResolveOutcome>(mine: Mine, tx: Queryable, key: TransferKey) {
  if (await recordResolve(tx, key, mine)) return undefined;
  const { resolve } = await readTransfer(tx, key);
  if (resolve === null) throw new Error('a transfer that was resolved is not');
  return isOther(resolve, mine) ? ({ kind: 'conflict', with: resolve } as const) : { kind: mine };
}

const isOther = <Mine extends ResolveOutcome>(one: ResolveOutcome, mine: Mine): one is Exclude<ResolveOutcome, Mine> =>
  one !== mine;

async function takeFromPayer(tx: Queryable, key: TransferKey, transfer: Transfer): Promise<RejectReason | undefined> {
  const payee = await readAccount(tx, key, transfer.payee_id);
  if (payee === undefined) return 'account-unknown';
  if (payee.currency !== transfer.currency) return 'currency-differs';
  const { amountMinor, ...posting } = postingOf(key, transfer, 'reserve');
  return move(tx, { ...posting, accountId: transfer.payer_id, amountMinor: -amountMinor });
}

async function giveTo(
  accountId: string,
  tx: Queryable,
  key: TransferKey,
  transfer: Transfer,
): Promise<AccountRefusal | undefined> {
  const reason = await move(tx, { ...postingOf(key, transfer, 'resolve'), accountId });
  if (reason === 'insufficient-funds') throw new Error('an account cannot be too poor to receive');
  return reason;
}

type Move = Omit<Parameters<typeof postToCustomer>[1], 'against'>;

/** Moves money between an account and clearing. `undefined` where it moved, else the reason why not. */
async function move(tx: Queryable, { tenant, accountId, currency, amountMinor, postingId }: Move) {
  for (;;) {
    const posting = { tenant, postingId, currency, accountId, amountMinor, against: 'clearing' } as const;
    if (await postToCustomer(tx, posting)) return undefined;
    const account = await readAccount(tx, { tenant }, accountId, { lock: true });
    if (account === undefined) return 'account-unknown';
    if (account.currency !== currency) return 'currency-differs';
    if (account.frozen) return 'account-frozen';
    if (account.balance_minor + amountMinor < 0n) return 'insufficient-funds';
    // The refusal's cause ended before the account was locked. The lock lets no new cause arise, so try again.
  }
}

async function readAccount(from: Queryable, { tenant }: { tenant: string }, accountId: string, { lock = false } = {}) {
  const [account] = await from.query<{ currency: string; frozen: boolean; balance_minor: bigint }>(
    `select currency, frozen, balance_minor from accounts
     where tenant = $1 and account_id = $2 and kind = 'customer' ${lock ? 'for no key update' : ''}`,
    [tenant, accountId],
  );
  return account;
}

const postingOf = ({ tenant, transferId }: TransferKey, transfer: Transfer, phase: 'reserve' | 'resolve') => ({
  tenant,
  postingId: `transfer/${transferId}/${phase}`,
  currency: transfer.currency,
  amountMinor: transfer.amount_minor,
});
