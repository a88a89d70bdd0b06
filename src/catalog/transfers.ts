import { z } from 'zod';
import type * as workflows from '../../workflows/transfers.ts';
import { duration, minorUnits, oneOf } from '../config/kinds.ts';
import { defineProcess } from '../definition/define-process.ts';
import { accountId, amount, businessKey, personId } from '../definition/fields.ts';

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

const ended = { transferId: businessKey, amount };

/** Why a person or the ledger refused, before any money moved. */
const refusal = z.enum(['declined', 'insufficient-funds', 'account-unknown', 'account-frozen', 'currency-differs']);

export const transferOutput = z
  .discriminatedUnion('outcome', [
    z.object({ ...ended, outcome: z.literal('completed') }).meta({ id: 'TransferCompleted' }),
    z
      .object({ ...ended, outcome: z.literal('compensated'), reason: z.enum(['deposit-refused', 'withdrawal-undone']) })
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
export const accepted = z.object({ accepted: z.literal(true) }).meta({ id: 'ActionAccepted' });

export const transferSettings = z.object({
  approvalLimitMinor: minorUnits
    .prefault('1000000')
    .describe('Transfers above this many minor units wait for a second person.'),
  approvalTimeout: duration('1s', '365d').prefault('72h').describe('How long such a transfer waits before it expires.'),
  reconcile: oneOf('resume', 'report')
    .prefault('resume')
    .describe('What workers do with transfers that stopped before their end: resume them, or only report them.'),
  reconcileInterval: duration('1s', '1h').prefault('30s').describe('How often workers look for such transfers.'),
  reconcileAge: duration('1s', '30d')
    .prefault('10m')
    .describe('Younger transfers are left alone. A transfer that still runs is looked at again after so long.'),
});

export type TransferInput = z.output<typeof transferInput>;
export type TransferOutput = z.output<typeof transferOutput>;
export type Approval = z.output<typeof approval>;
export type Rejection = z.output<typeof rejection>;
export type Cancellation = z.output<typeof cancellation>;
export type Resolution = z.output<typeof resolution>;
export type Accepted = z.output<typeof accepted>;

export const transfersV1 = defineProcess<typeof workflows>()({
  name: 'transfers',
  version: 1,
  collection: 'transfers',
  summary: 'Move money between two accounts, or leave both untouched',
  description:
    'Opens the permanent row, waits for a second person above a limit, withdraws, deposits; undoes what it began.',
  effects: 'two-phase rows in the ledger, deduplicated for ever',
  permanentRow: { rows: 'transfers', conflict: 'conflict' },
  workflow: 'transfers',
  taskQueue: 'money',
  key: { from: 'body', field: 'transferId' },
  input: transferInput,
  output: transferOutput,
  labels: { from: 'from', to: 'to' },
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
      next: ['ending'],
    },
    ending: { label: 'Recording the outcome', next: ['compensating', 'end'] },
  },
  actions: {
    approve: { summary: 'Let the transfer go on', input: approval, output: accepted, permission: 'transfers:approve' },
    reject: { summary: 'Refuse the transfer', input: rejection, output: accepted, permission: 'transfers:approve' },
    cancel: {
      summary: 'Call the transfer off while the money can still be returned',
      input: cancellation,
      output: accepted,
    },
    resolve: { summary: 'Retry a stuck return now, or settle it by hand', input: resolution, output: accepted },
  },
});
