import { z } from 'zod';
import type { Confirmed, Proposed, Released } from '../../adapters/ledger/suspense.ts';
import type { Held, Proposal, Release } from '../../adapters/ledger/suspense-rows.ts';
import { transferSettings } from '../../catalog/transfer-settings.ts';
import { accountId, actor, bookedAmount, businessKey } from '../../definition/fields.ts';
import { Problem } from '../../problems.ts';
import { type Answer, defineOperation, type Operation } from '../operation.ts';

const params = z.object({ transferId: businessKey });

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: businessKey.optional().describe('The `cursor` of the page before.'),
});

const releaseInput = z
  .strictObject({
    to: accountId.describe('The account that receives the money, of the same currency.'),
    note: z.string().min(1).max(500).describe('Why, for those who ask later.'),
  })
  .meta({ id: 'SuspenseReleaseInput' });

const confirmationInput = z
  .strictObject({ proposal: z.int().min(1).describe('The `number` of the proposal that the caller has seen.') })
  .meta({ id: 'SuspenseConfirmation' });

const proposal = z
  .object({
    number: z.int(),
    to: accountId,
    note: z.string(),
    proposedBy: actor,
    proposedAt: z.iso.datetime(),
  })
  .meta({ id: 'SuspenseProposal' });

const held = z
  .object({
    transferId: businessKey,
    from: accountId,
    to: accountId,
    amount: bookedAmount,
    settledAt: z.iso.datetime(),
    note: z.string().optional(),
    settledBy: z.string().optional(),
    confirmedBy: z.string().optional(),
    proposal: proposal.optional().describe('The newest one; another person may confirm it.'),
  })
  .meta({ id: 'SuspenseItem' });

const page = z
  .object({ items: z.array(held), cursor: z.string().optional() })
  .meta({ id: 'SuspensePage', description: 'By transfer id. Go on with `cursor` while there is one.' });

const release = z
  .object({
    transferId: businessKey,
    to: accountId,
    amount: bookedAmount,
    note: z.string(),
    releasedBy: actor,
    confirmedBy: actor.optional(),
    releasedAt: z.iso.datetime(),
  })
  .meta({ id: 'SuspenseRelease' });

const toProposal = ({ proposedAt, ...given }: Proposal) => ({ ...given, proposedAt: proposedAt.toISOString() });

const amountOf = ({ currency, amountMinor }: Held | Release) => ({ currency, minor: amountMinor.toString() });

const toItem = (item: Held) => ({
  transferId: item.transferId,
  from: item.payer,
  to: item.payee,
  amount: amountOf(item),
  settledAt: item.settledAt.toISOString(),
  note: item.note,
  settledBy: item.settledBy,
  confirmedBy: item.confirmedBy,
  proposal: item.proposal && toProposal(item.proposal),
});

const toRelease = (transferId: string, given: Release) => ({
  transferId,
  to: given.to,
  amount: amountOf(given),
  note: given.note,
  releasedBy: given.releasedBy,
  confirmedBy: given.confirmedBy,
  releasedAt: given.releasedAt.toISOString(),
});

function answerFor(transferId: string, answer: Released | Proposed | Confirmed): Answer {
  switch (answer.kind) {
    case 'released':
      return { status: 200, body: toRelease(transferId, answer.release) };
    case 'proposed':
      return { status: 202, body: toProposal(answer.proposal) };
    case 'absent':
      throw new Problem('not-found');
    case 'conflict':
      throw new Problem('release-conflict');
    case 'superseded':
      throw new Problem('release-conflict', { detail: 'This is not the newest proposal for this transfer.' });
    case 'same-person':
      throw new Problem('second-person-required');
    case 'refused':
      throw new Problem(answer.reason);
  }
}

const refusals = ['account-unknown', 'account-frozen', 'currency-differs'] as const;
const released = { 200: { description: 'Released, now or before by an equal request.', body: release } } as const;

/** The way of settled money out of suspense. */
export const suspenseOperations: readonly Operation[] = [
  defineOperation({
    tag: 'suspense',
    operationId: 'listSuspense',
    method: 'GET',
    path: '/v1/suspense',
    summary: 'Settled transfers whose money lies in suspense',
    permission: 'suspense:read',
    cost: 'read',
    query,
    responses: { 200: { description: 'One page.', body: page } },
    problems: [],
    async handle({ principal: { tenant }, query: { limit, cursor: after } }, { suspense }) {
      const { items, next: cursor } = await suspense.listHeld({ tenant, limit, after });
      return { status: 200, body: { items: items.map(toItem), cursor } };
    },
  }),
  defineOperation({
    tag: 'suspense',
    operationId: 'releaseSuspense',
    method: 'POST',
    path: '/v1/suspense/{transferId}/release',
    summary: 'Move the money of a settled transfer to an account, once',
    permission: 'suspense:release',
    cost: 'action',
    params,
    body: releaseInput,
    responses: {
      ...released,
      202: { description: 'Proposed. Nothing moves before another person confirms.', body: proposal },
    },
    problems: ['not-found', 'release-conflict', ...refusals],
    async handle({ principal, params: { transferId }, body }, { suspense, settingsOf }) {
      const order = { tenant: principal.tenant, transferId, ...body, by: principal.actor };
      const isProposed = settingsOf(transferSettings).settleApproval === 'second-person';
      return answerFor(transferId, await (isProposed ? suspense.propose(order) : suspense.release(order)));
    },
  }),
  defineOperation({
    tag: 'suspense',
    operationId: 'confirmSuspense',
    method: 'POST',
    path: '/v1/suspense/{transferId}/confirm',
    summary: 'Release the money as another person proposed',
    permission: 'suspense:confirm',
    cost: 'action',
    params,
    body: confirmationInput,
    responses: released,
    problems: ['not-found', 'second-person-required', 'release-conflict', ...refusals],
    handle: async ({ principal, params: { transferId }, body }, { suspense }) =>
      answerFor(
        transferId,
        await suspense.confirm({
          tenant: principal.tenant,
          transferId,
          proposal: body.proposal,
          by: principal.actor,
        }),
      ),
  }),
];
