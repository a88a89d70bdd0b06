import type { Actor } from '../src/catalog/envelope.ts';
import { transferOutput, type TransferInput, type TransferOutput } from '../src/catalog/transfers.ts';
import type { Ledger } from '../src/adapters/ledger.ts';
import { failureOf, typed } from './failures.ts';

export interface TransferSettings {
  /** Transfers above this many minor units wait for a second person. */
  readonly approvalLimitMinor: bigint;
  /** How long they wait before they expire, in milliseconds. */
  readonly approvalTimeoutMs: number;
}

/** A transfer as the ledger keys it, for ever. */
export interface TransferKey {
  readonly tenant: string;
  readonly transferId: string;
}

/** What the permanent row remembers of a transfer beside its key. Amounts are strings: payloads have no bigint. */
export interface TransferOrder extends TransferKey {
  readonly input: TransferInput;
  readonly startedBy: Actor;
  readonly fingerprint: string;
}

/** What the permanent row says to a transfer that begins, or begins again after Temporal forgot it. */
export type Opening =
  | {
      readonly state: 'open';
      readonly approval: 'required' | 'not-required' | 'given';
      readonly approvalTimeoutMs: number;
    }
  | { readonly state: 'ended'; readonly result: TransferOutput }
  | { readonly state: 'conflict' };

/**
 * The steps of a transfer over the ledger's rows. Each is idempotent by (tenant, transferId) and phase, so that a retry,
 * a reset and a second life all meet the first one's answer. Refusals are answers, not failures.
 */
export function createTransferActivities({ ledger, settings }: { ledger: Ledger; settings: TransferSettings }) {
  return {
    /** Writes the permanent row, or reads it where it exists. The limit that counts is the one of the first time. */
    openTransfer: ({ input, ...order }: TransferOrder) =>
      typed(async (): Promise<Opening> => {
        const { amount, ...parties } = input;
        const amountMinor = BigInt(amount.minor);
        const approvalRequired = amountMinor > settings.approvalLimitMinor;
        const row = await ledger.openTransfer({
          ...parties,
          ...order,
          currency: amount.currency,
          amountMinor,
          approvalRequired,
        });
        if (row.state === 'conflict') return { state: 'conflict' };
        if (row.state === 'ended') return { state: 'ended', result: transferOutput.parse(row.result) };
        const approval = row.approvedBy !== undefined ? 'given' : row.approvalRequired ? 'required' : 'not-required';
        return { state: 'open', approval, approvalTimeoutMs: settings.approvalTimeoutMs };
      }),

    /** Writes into the permanent row who let the transfer go on; the first one stays. */
    recordApproval: (approval: TransferKey & { by: Actor }) => typed(() => ledger.recordApproval(approval)),

    /** Moves the money from the payer into clearing, or records why not. */
    withdraw: (transfer: TransferKey) => typed(() => ledger.withdraw(transfer)),

    /** Moves the money from clearing to the payee, unless it was returned before. */
    deposit: (transfer: TransferKey) => typed(() => ledger.deposit(transfer)),

    /**
     * Returns the money, and leaves a tombstone where there is none to return, so that a late withdrawal moves nothing.
     * Fails as `account-frozen` while the payer cannot take the money back.
     */
    refund: (transfer: TransferKey) =>
      typed(async () => {
        const answer = await ledger.refund(transfer);
        if (answer.kind === 'blocked') throw failureOf(answer.reason, 'The payer cannot take the money back');
        return answer;
      }),

    /** Books the money to the tenant's suspense account, on an operator's word. */
    settle: (transfer: TransferKey) => typed(() => ledger.settle(transfer)),

    /** Ends the permanent row; the answer is the result that stands, which is the first one ever given. */
    endTransfer: ({ result, ...transfer }: TransferKey & { result: TransferOutput }) =>
      typed(async () => transferOutput.parse(await ledger.endTransfer({ ...transfer, result }))),
  };
}
