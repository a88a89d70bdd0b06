import { z } from 'zod';
import type * as workflows from '../../workflows/transfers.ts';
import { defineProcess } from '../definition/define-process.ts';
import { actionOn, startOn } from '../definition/events.ts';
import { accountId, actor, amount, bookedAmount, businessKey, personId } from '../definition/fields.ts';
import { transferSettings } from './transfer-settings.ts';

export const transferInput = z
  .strictObject({
    transferId: businessKey.describe('The business key: one transfer for each, for ever.'),
    from: accountId.describe('The account that pays.'),
    to: accountId.describe('The account that receives, of the same currency.'),
    amount,
    reference: z.string().max(140).optional().describe('What the parties read.'),
    requestedBy: personId.optional().describe('On whose behalf the caller asks; may not approve the transfer.'),
  })
  .refine((input) => input.from !== input.to, { path: ['to'], message: 'must be another account than `from`' })
  .meta({ id: 'TransferInput' });

const ended = { transferId: businessKey, amount: bookedAmount };

/** Why a person or the ledger refused, before any money moved. */
const refusal = z.enum(['declined', 'insufficient-funds', 'account-unknown', 'account-frozen', 'currency-differs']);

export const transferOutput = z
  .discriminatedUnion('outcome', [
    z.object({ ...ended, outcome: z.literal('completed') }).meta({ id: 'TransferCompleted' }),
    z
      .object({
        ...ended,
        outcome: z.literal('compensated'),
        reason: z
          .enum(['deposit-refused', 'withdrawal-undone', 'ledger-lost'])
          .describe('`ledger-lost`: the database had lost what the transfer had booked, and no posting of it exists.'),
      })
      .meta({ id: 'TransferCompensated' }),
    z
      .object({
        ...ended,
        outcome: z.literal('rejected'),
        reason: refusal,
        note: z.string().optional(),
        by: z.string().optional().describe('The subject of the person who declined.'),
      })
      .meta({ id: 'TransferRejected' }),
    z.object({ ...ended, outcome: z.literal('expired') }).meta({ id: 'TransferExpired' }),
    z
      .object({
        ...ended,
        outcome: z.literal('cancelled'),
        by: z.string().optional().describe('The subject of whoever cancelled first.'),
      })
      .meta({ id: 'TransferCancelled' }),
    z
      .object({
        ...ended,
        outcome: z.literal('settled'),
        note: z.string(),
        settledBy: z.string().optional().describe('The subject of the operator.'),
        confirmedBy: z.string().optional().describe('The subject of the second person, where one was asked.'),
      })
      .meta({ id: 'TransferSettled' }),
    z.object({ ...ended, outcome: z.literal('conflict') }).meta({ id: 'TransferConflict' }),
  ])
  .meta({ id: 'TransferResult' });

export const approval = z.strictObject({ note: z.string().max(500).optional() }).meta({ id: 'TransferApproval' });
export const rejection = z.strictObject({ note: z.string().max(500).optional() }).meta({ id: 'TransferRejection' });
export const cancellation = z.strictObject({}).meta({ id: 'TransferCancellation' });
export const resolution = z
  .discriminatedUnion('how', [
    z.strictObject({ how: z.literal('retry') }),
    z.strictObject({ how: z.literal('settle'), note: z.string().min(1).max(500) }),
  ])
  .meta({ id: 'TransferResolution' });
export const confirmation = z.strictObject({}).meta({ id: 'TransferConfirmation' });
export const accepted = z.object({ accepted: z.literal(true) }).meta({ id: 'ActionAccepted' });
export const resolved = z
  .object({
    accepted: z.literal(true),
    awaits: z.literal('confirmation').optional().describe('Nothing is booked before another person confirms.'),
  })
  .meta({ id: 'TransferResolved' });
export const proposal = z
  .object({
    settlement: z
      .object({ note: z.string(), settledBy: actor })
      .optional()
      .describe('Absent where no settlement waits for a second person.'),
  })
  .meta({ id: 'TransferProposal' });

export type TransferInput = z.output<typeof transferInput>;
export type TransferOutput = z.output<typeof transferOutput>;
export type Approval = z.output<typeof approval>;
export type Rejection = z.output<typeof rejection>;
export type Cancellation = z.output<typeof cancellation>;
export type Resolution = z.output<typeof resolution>;
export type Confirmation = z.output<typeof confirmation>;
export type Resolved = z.output<typeof resolved>;
export type Proposal = z.output<typeof proposal>;
export type Accepted = z.output<typeof accepted>;

export const transfersV1 = defineProcess<typeof workflows>()({
  name: 'transfers',
  version: 1,
  collection: 'transfers',
  singular: 'transfer',
  summary: 'Move money between two accounts, or leave both untouched',
  description:
    'Opens the permanent row, waits for a second person above a limit, withdraws, deposits; undoes what it began.',
  effects: 'two-phase rows in the ledger, deduplicated for ever',
  permanentRow: { rows: 'transfers', conflict: 'conflict' },
  workflow: 'transfers',
  implementations: [{ workflow: 'transfersAtOnce', when: { shareSetting: 'atOnceShare' } }],
  taskQueue: 'money',
  key: { from: 'body', field: 'transferId' },
  input: transferInput,
  output: transferOutput,
  labels: { from: 'from', to: 'to' },
  events: [
    startOn({
      type: 'portico.transfer.requested',
      summary: 'Money is to be moved',
      // What else the service tells of a transfer is for others.
      data: z.object(transferInput.shape).meta({ id: 'TransferRequestedData' }),
      starts: (data) => data,
    }),
    actionOn({
      type: 'portico.transfer.withdrawn',
      summary: 'The request is withdrawn: the transfer is cancelled while the money can still be returned',
      data: z.object({ transferId: businessKey }).meta({ id: 'TransferWithdrawnData' }),
      action: 'cancel',
      id: ({ transferId }) => transferId,
      body: () => ({}),
    }),
  ],
  settings: transferSettings,
  steps: {
    opening: {
      label: 'Being recorded',
      actions: ['cancel'],
      next: ['awaiting-approval', 'withdrawing', 'compensating', 'ending', 'end'],
    },
    'awaiting-approval': {
      label: 'Waiting for a second person',
      waitsFor: 'approve or reject',
      actions: ['approve', 'reject', 'cancel'],
      next: ['withdrawing', 'compensating', 'ending'],
    },
    withdrawing: {
      label: 'Taking the money from the payer',
      actions: ['cancel'],
      next: ['depositing', 'compensating', 'ending'],
    },
    depositing: {
      label: 'Giving the money to the payee',
      actions: ['cancel'],
      next: ['compensating', 'ending'],
    },
    compensating: { label: 'Returning the money', next: ['compensation-stuck', 'ending'] },
    'compensation-stuck': {
      label: 'The money cannot be returned yet',
      waitsFor: 'the payer account, or an operator',
      actions: ['resolve'],
      next: ['settlement-proposed', 'ending'],
    },
    'settlement-proposed': {
      label: 'A second person must confirm the settlement',
      waitsFor: 'confirm, the payer account, or an operator',
      actions: ['confirm', 'resolve'],
      next: ['compensation-stuck', 'settlement-proposed', 'ending'],
    },
    ending: { label: 'Recording the outcome', next: ['ending', 'compensating', 'ending-stuck', 'end'] },
    'ending-stuck': {
      label: 'The outcome cannot be recorded',
      waitsFor: 'an operator',
      actions: ['resolve'],
      next: ['ending', 'compensating', 'end'],
    },
  },
  actions: {
    approve: {
      summary: 'Let the transfer go on',
      input: approval,
      output: accepted,
      repetition: 'once',
      permission: 'transfers:approve',
    },
    reject: {
      summary: 'Refuse the transfer',
      input: rejection,
      output: accepted,
      repetition: 'once',
      permission: 'transfers:approve',
    },
    cancel: {
      summary: 'Call the transfer off while the money can still be returned',
      input: cancellation,
      output: accepted,
      repetition: 'once',
    },
    resolve: {
      summary: 'Retry what is stuck now, or settle a stuck return by hand',
      input: resolution,
      output: resolved,
      repetition: 'each',
    },
    confirm: {
      summary: 'Book the settlement that another person proposed',
      input: confirmation,
      output: accepted,
      repetition: 'each',
    },
  },
  views: {
    proposal: { summary: 'The settlement that waits for a second person', output: proposal },
  },
});
