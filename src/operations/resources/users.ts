import { z } from 'zod';
import { businessKey } from '../../definition/fields.ts';
import { defineOperation, type Operation } from '../operation.ts';

const params = z.object({ id: businessKey });

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .regex(/^[0-9]{1,18}$/, { message: 'must be the `cursor` of the page before' })
    .optional()
    .describe('The `cursor` of the page before.'),
});

const generation = z.int().describe('1 for the first grant of a user; higher where it was granted anew.');

const message = z
  .object({ kind: z.string(), generation, title: z.string(), body: z.string(), sentAt: z.iso.datetime() })
  .meta({ id: 'InboxMessage' });

const discount = z
  .object({ kind: z.string(), generation, percent: z.int(), grantedAt: z.iso.datetime() })
  .meta({ id: 'Discount' });

const pageOf = (item: z.ZodType, id: string) =>
  z
    .object({ items: z.array(item), cursor: z.string().optional() })
    .meta({ id, description: 'Oldest first. Go on with `cursor` while there is one.' });

const common = {
  method: 'GET',
  tag: 'users',
  params,
  query,
  permission: 'users:read',
  cost: 'read',
  problems: [],
} as const;

/** What grants left behind for a user. A user without any has empty lists: Portico does not know who exists. */
export const userOperations: readonly Operation[] = [
  defineOperation({
    ...common,
    operationId: 'listInbox',
    path: '/v1/users/{id}/inbox',
    summary: 'The messages a user got',
    responses: { 200: { description: 'One page.', body: pageOf(message, 'InboxPage') } },
    async handle({ principal: { tenant }, params: { id: userId }, query: { limit, cursor: after } }, { inbox }) {
      const { items, next: cursor } = await inbox.listMessages({ tenant, userId, limit, after });
      return {
        status: 200,
        body: { items: items.map(({ sentAt, ...item }) => ({ ...item, sentAt: sentAt.toISOString() })), cursor },
      };
    },
  }),
  defineOperation({
    ...common,
    operationId: 'listDiscounts',
    path: '/v1/users/{id}/discounts',
    summary: 'The discounts a user was granted',
    responses: { 200: { description: 'One page.', body: pageOf(discount, 'DiscountPage') } },
    async handle({ principal: { tenant }, params: { id: userId }, query: { limit, cursor: after } }, { inbox }) {
      const { items, next: cursor } = await inbox.listDiscounts({ tenant, userId, limit, after });
      return {
        status: 200,
        body: {
          items: items.map(({ grantedAt, ...item }) => ({ ...item, grantedAt: grantedAt.toISOString() })),
          cursor,
        },
      };
    },
  }),
];
