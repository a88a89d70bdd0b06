import type { z } from 'zod';
import type { Ledger, Refunded, Settled } from '../src/adapters/ledger/ledger.ts';
import type { TransferKey } from '../src/adapters/ledger/phases.ts';
import type { TransferOpened, TransferOpening, TransferRecords } from '../src/adapters/ledger/records.ts';
import type { Settlement, Settlements, SettlementTold } from '../src/adapters/ledger/settlements.ts';
import type { MoneyStanding } from '../src/adapters/ledger/standing.ts';
import { transferSettings } from '../src/catalog/transfer-settings.ts';
import { type TransferInput, type TransferOutput, transferOutput } from '../src/catalog/transfers.ts';
import type { SettingsOf } from '../src/config/process-settings.ts';
import type { Actor } from '../src/definition/envelope.ts';
import { failureOf, typed } from './failures.ts';

/** What the permanent row keeps of a transfer. Amounts are strings, because payloads have no bigint. */
export interface TransferOrder extends TransferKey {
  readonly input: TransferInput;
  readonly startedBy: Actor;
  readonly fingerprint: string;
}

/** What the permanent row says to a transfer that begins, or begins again after retention. */
export type Opening =
  | {
      readonly state: 'open';
      readonly approval: 'required' | 'not-required' | 'given';
      /** Who started the transfer first. After retention another caller may start it again. */
      readonly firstStartedBy: Actor;
      readonly approvalTimeoutMs: number;
    }
  | { readonly state: 'ended'; readonly result: TransferOutput }
  | { readonly state: 'conflict' };

/** What is known of the settlement, where money was settled. By code that kept no note: nothing. */
interface WithSettlement {
  readonly settlement?: SettlementTold | undefined;
}

/** A refund that did not come to nothing, since a blocked one fails. */
type Refund = Exclude<Refunded, { kind: 'blocked' }> & WithSettlement;

/** `second-person-required`: nothing was booked, because nobody else has confirmed it. */
type Settling = (Settled & WithSettlement) | { readonly kind: 'second-person-required' };

interface Dependencies {
  readonly ledger: Ledger;
  readonly transferRecords: TransferRecords;
  readonly settlements: Settlements;
  readonly settingsOf: SettingsOf;
}

/**
 * The steps of a transfer over the ledger's rows. Each is idempotent by (tenant, transferId) and phase: a retry, a reset
 * and a start after retention get the first answer. Refusals are answers, not failures.
 */
export function createTransferActivities(dependencies: Dependencies) {
  const { ledger, transferRecords, settlements, settingsOf } = dependencies;
  const settings = settingsOf(transferSettings);

  return {
    /** Writes the permanent row, or reads the one that exists. The approval limit of the first opening counts. */
    openTransfer: (order: TransferOrder) =>
      typed(async () => openingOf(await transferRecords.openTransfer(rowOf(order, settings)), settings)),

    /**
     * Writes the permanent row as `openTransfer` does. Where the row is new, nobody has to approve the transfer and both
     * accounts take it, the same commit completes it. Otherwise nothing has moved, and the other steps follow.
     */
    transferAtOnce: (order: TransferOrder) =>
      typed(async () => {
        const { transferId, amount } = order.input;
        const result: TransferOutput = { outcome: 'completed', transferId, amount };
        return openingOf(await transferRecords.transferAtOnce({ ...rowOf(order, settings), result }), settings);
      }),

    /** Writes into the permanent row who approved. The first approval stands. `unrecorded`: the row is missing. */
    recordApproval: (approval: TransferKey & { by: Actor }) =>
      typed(async () => {
        const { kind } = await transferRecords.recordApproval(approval);
        return kind === 'unrecorded' ? kind : undefined;
      }),

    /** Moves the money from the payer into clearing, or records why not. */
    withdraw: (transfer: TransferKey) => typed(() => ledger.withdraw(transfer)),

    /** Moves the money from clearing to the payee, unless it was refunded or settled before. */
    deposit: (transfer: TransferKey) => typed(() => ledger.deposit(transfer)),

    /**
     * Returns the money to the payer. Where nothing was withdrawn it voids the transfer, so that a late withdrawal
     * moves nothing. Fails as `blocked` while the payer's account does not take the money.
     */
    refund: (transfer: TransferKey) => typed(() => refundWith(dependencies, transfer)),

    /**
     * Books the money to the tenant's suspense account, as an operator decided. Where the settings ask for a second
     * person, only a settlement that somebody confirmed is booked. An order from before orders told who gives them says
     * nothing of persons, and is booked only where one person suffices.
     */
    settle: ({ settlement, ...transfer }: TransferKey & { settlement?: Settlement }) =>
      typed(() => settleWith(dependencies, transfer, settlement)),

    /**
     * Stores the result in the permanent row, and answers the result that stands: the first one ever stored. A result
     * that contradicts the money is not stored: the answer then says where the money is.
     */
    endTransfer: ({ result, ...transfer }: TransferKey & { result: TransferOutput }) =>
      typed(async (): Promise<TransferOutput | (MoneyStanding & WithSettlement)> => {
        const answer = await transferRecords.endTransfer({ ...transfer, result });
        if ('outcome' in answer) return transferOutput.parse(answer);
        return answer.money === 'settled'
          ? { ...answer, settlement: await settlements.findSettlement(transfer) }
          : answer;
      }),
  };
}

type Settings = z.output<typeof transferSettings>;

function rowOf({ input, ...order }: TransferOrder, { approvalLimits }: Settings): TransferOpening {
  const { amount, ...parties } = input;
  const amountMinor = BigInt(amount.minor);
  const limitMinor = approvalLimits.get(amount.currency);
  const approvalRequired = limitMinor === undefined || amountMinor > limitMinor;
  return { ...parties, ...order, currency: amount.currency, amountMinor, approvalRequired };
}

function openingOf(row: TransferOpened, { approvalTimeout: approvalTimeoutMs }: Settings): Opening {
  if (row.state === 'conflict') return { state: 'conflict' };
  if (row.state === 'ended') return { state: 'ended', result: transferOutput.parse(row.result) };
  const approval = row.approvedBy !== undefined ? 'given' : row.approvalRequired ? 'required' : 'not-required';
  return { state: 'open', approval, firstStartedBy: row.startedBy, approvalTimeoutMs };
}

async function refundWith({ ledger, settlements }: Dependencies, transfer: TransferKey): Promise<Refund> {
  const answer = await ledger.refund(transfer);
  if (answer.kind === 'blocked') {
    throw failureOf('blocked', `The payer's account does not take the money back: ${answer.reason}`);
  }
  const isSettled = answer.kind === 'conflict' && answer.with === 'settled';
  return isSettled ? { ...answer, settlement: await settlements.findSettlement(transfer) } : answer;
}

async function settleWith(
  { ledger, settlements, settingsOf }: Dependencies,
  transfer: TransferKey,
  settlement: Settlement | undefined,
): Promise<Settling> {
  const { settleApproval } = settingsOf(transferSettings);
  if (settleApproval === 'second-person' && settlement?.confirmedBy === undefined) {
    return settlement === undefined ? { kind: 'nothing-reserved' } : { kind: 'second-person-required' };
  }
  const answer = await ledger.settle({ ...transfer, settlement });
  if (answer.kind !== 'settled') return answer;
  return { ...answer, settlement: await settlements.findSettlement(transfer) };
}
