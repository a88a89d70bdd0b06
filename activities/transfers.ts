import type { Ledger } from '../src/adapters/ledger/ledger.ts';
import type { TransferKey } from '../src/adapters/ledger/phases.ts';
import type { MoneyStanding, TransferRecords } from '../src/adapters/ledger/records.ts';
import { type TransferInput, type TransferOutput, transferOutput, transferSettings } from '../src/catalog/transfers.ts';
import type { SettingsOf } from '../src/config/process-settings.ts';
import type { Actor } from '../src/definition/envelope.ts';
import { failureOf, typed } from './failures.ts';

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
      /** Who started the transfer first: after Temporal forgot it, that may be another than who starts it now. */
      readonly firstStartedBy: Actor;
      readonly approvalTimeoutMs: number;
    }
  | { readonly state: 'ended'; readonly result: TransferOutput }
  | { readonly state: 'conflict' };

/**
 * The steps of a transfer over the ledger's rows. Each is idempotent by (tenant, transferId) and phase: a retry, a reset
 * and a start after retention get the first answer. Refusals are answers, not failures.
 */
export function createTransferActivities(dependencies: {
  readonly ledger: Ledger;
  readonly transferRecords: TransferRecords;
  readonly settingsOf: SettingsOf;
}) {
  const { ledger, transferRecords, settingsOf } = dependencies;
  const { approvalLimitMinor, approvalTimeout: approvalTimeoutMs } = settingsOf(transferSettings);
  return {
    /** Writes the permanent row, or reads it where it exists. The limit that counts is the one of the first time. */
    openTransfer: ({ input, ...order }: TransferOrder) =>
      typed(async (): Promise<Opening> => {
        const { amount, ...parties } = input;
        const amountMinor = BigInt(amount.minor);
        const approvalRequired = amountMinor > approvalLimitMinor;
        const row = await transferRecords.openTransfer({
          ...parties,
          ...order,
          currency: amount.currency,
          amountMinor,
          approvalRequired,
        });
        if (row.state === 'conflict') return { state: 'conflict' };
        if (row.state === 'ended') return { state: 'ended', result: transferOutput.parse(row.result) };
        const approval = row.approvedBy !== undefined ? 'given' : row.approvalRequired ? 'required' : 'not-required';
        const { startedBy: firstStartedBy } = row;
        return { state: 'open', approval, firstStartedBy, approvalTimeoutMs };
      }),

    /** Writes into the permanent row who let the transfer go on; the first one stays. */
    recordApproval: (approval: TransferKey & { by: Actor }) =>
      typed(async () => {
        await transferRecords.recordApproval(approval);
      }),

    /** Moves the money from the payer into clearing, or records why not. */
    withdraw: (transfer: TransferKey) => typed(() => ledger.withdraw(transfer)),

    /** Moves the money from clearing to the payee, unless it was returned before. */
    deposit: (transfer: TransferKey) => typed(() => ledger.deposit(transfer)),

    /**
     * Returns the money, and leaves a tombstone where there is none to return, so that a late withdrawal moves nothing.
     * Fails as `blocked` while the payer cannot take the money back.
     */
    refund: (transfer: TransferKey) =>
      typed(async () => {
        const answer = await ledger.refund(transfer);
        if (answer.kind === 'blocked') {
          throw failureOf('blocked', `The payer's account does not take the money back: ${answer.reason}`);
        }
        return answer;
      }),

    /** Books the money to the tenant's suspense account, on an operator's word. */
    settle: (transfer: TransferKey) => typed(() => ledger.settle(transfer)),

    /**
     * Ends the permanent row; the answer is the result that stands, which is the first one ever given. Where the money
     * stands otherwise than this end says, nothing is written, and the answer is how it stands.
     */
    endTransfer: ({ result, ...transfer }: TransferKey & { result: TransferOutput }) =>
      typed(async (): Promise<TransferOutput | MoneyStanding> => {
        const answer = await transferRecords.endTransfer({ ...transfer, result });
        return 'outcome' in answer ? transferOutput.parse(answer) : answer;
      }),
  };
}
