import { z } from 'zod';
import type { Account } from '../../adapters/ledger/accounts.ts';
import { accountId, bookedCurrency, currency, minor } from '../../definition/fields.ts';
import { Problem } from '../../problems.ts';
import { type Answer, defineOperation, type Operation } from '../operation.ts';

const params = z.object({ id: accountId });

const accountInput = z
  .strictObject({
    currency,
    openingBalance: z
      .strictObject({ minor })
      .describe("Booked once, from the tenant's equity account of the currency."),
  })
  .meta({ id: 'AccountInput' });

const account = z
  .object({
    id: accountId,
    currency: bookedCurrency,
    balance: z.object({ minor: z.string().regex(/^[0-9]+$/) }),
    frozen: z.boolean().describe('A frozen account neither pays nor receives.'),
    frozenBy: z.string().optional().describe('The subject of whoever froze it.'),
    frozenAt: z.iso.datetime().optional(),
    frozenNote: z.string().optional(),
    openedAt: z.iso.datetime(),
  })
  .meta({ id: 'Account' });

const freezeInput = z
  .strictObject({ note: z.string().min(1).max(500).optional().describe('Why. Kept with who and when, for ever.') })
  .meta({ id: 'AccountFreeze' });

const toBody = ({ accountId: id, currency: code, balanceMinor, frozen, frozenBy, openedAt }: Account) => ({
  id,
  currency: code,
  balance: { minor: balanceMinor.toString() },
  frozen,
  ...(frozenBy && { frozenBy: frozenBy.by.sub, frozenAt: frozenBy.at.toISOString(), frozenNote: frozenBy.note }),
  openedAt: openedAt.toISOString(),
});

const answerFor = (found: Account | undefined): Answer => {
  if (found === undefined) throw new Problem('not-found');
  return { status: 200, body: toBody(found) };
};

const common = { tag: 'accounts', params } as const;
const is = { 200: { description: 'The account.', body: account } } as const;

const freezeOperation = (verb: 'freeze' | 'unfreeze', summary: string): Operation =>
  defineOperation({
    ...common,
    operationId: `${verb}Account`,
    method: 'POST',
    path: `/v1/accounts/{id}/${verb}`,
    summary,
    permission: 'accounts:freeze',
    cost: 'action',
    body: freezeInput,
    bodyIsOptional: true,
    responses: is,
    problems: ['not-found'],
    handle: async ({ principal: { tenant, actor }, params: { id }, body }, { accounts }) =>
      answerFor(await accounts[`${verb}Account`]({ tenant, accountId: id, by: actor, note: body.note })),
  });

/** Accounts are no process: opening one is a single step. */
export const accountOperations: readonly Operation[] = [
  defineOperation({
    ...common,
    operationId: 'putAccount',
    method: 'PUT',
    path: '/v1/accounts/{id}',
    summary: 'Open an account with its opening balance, once',
    permission: 'accounts:write',
    cost: 'action',
    body: accountInput,
    responses: {
      200: { description: 'It was opened before with the same body.', body: account },
      201: { description: 'Opened.', body: account, headers: ['Location'] },
    },
    problems: ['account-conflict'],
    async handle({ principal, params: { id }, body }, { accounts }) {
      const opened = await accounts.openAccount({
        tenant: principal.tenant,
        accountId: id,
        currency: body.currency,
        openingBalanceMinor: BigInt(body.openingBalance.minor),
      });
      if (opened.kind === 'conflict') throw new Problem('account-conflict');
      if (opened.kind === 'replayed') return { status: 200, body: toBody(opened.account) };
      return { status: 201, body: toBody(opened.account), headers: { Location: `/v1/accounts/${id}` } };
    },
  }),
  defineOperation({
    ...common,
    operationId: 'getAccount',
    method: 'GET',
    path: '/v1/accounts/{id}',
    summary: 'Balance and state of an account',
    permission: 'accounts:read',
    cost: 'read',
    responses: is,
    problems: ['not-found'],
    handle: async ({ principal: { tenant }, params: { id } }, { accounts }) =>
      answerFor(await accounts.findAccount({ tenant, accountId: id })),
  }),
  freezeOperation('freeze', 'Stop an account from paying and receiving'),
  freezeOperation('unfreeze', 'Let a frozen account pay and receive again'),
];
