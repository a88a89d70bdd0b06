import { z } from 'zod';
import type { Endpoint } from '../../adapters/webhooks/endpoint-rows.ts';
import { endpointId } from '../../definition/fields.ts';
import { Problem } from '../../problems.ts';
import { defineOperation, type Operation, type Services } from '../operation.ts';

const params = z.object({ id: endpointId });

const endpointInput = z
  .strictObject({
    url: z.string().min(1).max(2_048).describe('Where webhooks are sent: https, unless the deployment allows more.'),
    description: z.string().min(1).max(200).optional(),
  })
  .meta({ id: 'EndpointInput' });

const when = { at: z.iso.datetime(), status: z.int().optional() };

const shape = {
  id: endpointId,
  url: z.string(),
  description: z.string().optional(),
  state: z.enum(['enabled', 'disabled']),
  disabledBecause: z
    .enum(['asked', 'gone'])
    .optional()
    .describe('`gone`: the receiver answered 410. It stays disabled until somebody enables it.'),
  secrets: z
    .array(z.object({ createdAt: z.iso.datetime(), validUntil: z.iso.datetime().optional() }))
    .describe('Those that sign now, the newest first. Their text is shown once, when they are made.'),
  createdAt: z.iso.datetime(),
  lastSuccess: z.object(when).optional().describe('About the last attempt that was delivered.'),
  lastFailure: z
    .object({ ...when, reason: z.string() })
    .optional()
    .describe('About the last attempt that failed.'),
};

const endpoint = z.object(shape).meta({ id: 'Endpoint' });

const withSecret = z
  .object({ ...shape, secret: z.string().describe('Verifies signatures. It is not shown again.') })
  .meta({ id: 'EndpointWithSecret' });

const shownBefore = 'The secret was shown when the endpoint was created. Rotate it to get another.';

const withHint = z.object({ ...shape, hint: z.literal(shownBefore) }).meta({ id: 'EndpointCreatedBefore' });

const toBody = ({ endpointId: id, secrets, createdAt, lastSuccess, lastFailure, ...rest }: Endpoint) => ({
  id,
  ...rest,
  secrets: secrets.map((secret) => ({
    createdAt: secret.createdAt.toISOString(),
    ...(secret.validUntil && { validUntil: secret.validUntil.toISOString() }),
  })),
  createdAt: createdAt.toISOString(),
  ...(lastSuccess && { lastSuccess: { ...lastSuccess, at: lastSuccess.at.toISOString() } }),
  ...(lastFailure && { lastFailure: { ...lastFailure, at: lastFailure.at.toISOString() } }),
});

const bodyOf = (found: { readonly endpoint: Endpoint } | undefined) => {
  if (found === undefined) throw new Problem('not-found');
  return toBody(found.endpoint);
};

const common = { tag: 'endpoints', params, permission: 'endpoints:write', cost: 'action' } as const;
const is = { 200: { description: 'The endpoint.', body: endpoint } } as const;

type Change = 'dropOldSecrets' | 'enableEndpoint' | 'disableEndpoint';

/** An operation that changes an endpoint and shows it. Repeating it changes nothing more. */
const changing = (change: Change, verb: string, summary: string): Operation =>
  defineOperation({
    ...common,
    operationId: change,
    method: 'POST',
    path: `/v1/endpoints/{id}/${verb}`,
    summary,
    responses: is,
    problems: ['not-found'],
    handle: async ({ principal: { tenant }, params: { id } }, { endpoints }) => ({
      status: 200,
      body: bodyOf(await endpoints[change]({ tenant, endpointId: id })),
    }),
  });

const reading: readonly Operation[] = [
  defineOperation({
    ...common,
    operationId: 'listEndpoints',
    method: 'GET',
    path: '/v1/endpoints',
    params: undefined,
    summary: 'The endpoints of the tenant, in the order of their ids',
    permission: 'endpoints:read',
    cost: 'read',
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(100).default(20),
      cursor: endpointId.optional().describe('The `cursor` of the page before.'),
    }),
    responses: {
      200: {
        description: 'One page.',
        body: z
          .object({ items: z.array(endpoint), cursor: z.string().optional() })
          .meta({ id: 'EndpointPage', description: 'Go on with `cursor` while there is one.' }),
      },
    },
    problems: [],
    async handle({ principal: { tenant }, query: { limit, cursor: after } }, { endpoints }) {
      const { items, next: cursor } = await endpoints.listEndpoints({ tenant, limit, after });
      return { status: 200, body: { items: items.map(toBody), cursor } };
    },
  }),
  defineOperation({
    ...common,
    operationId: 'getEndpoint',
    method: 'GET',
    path: '/v1/endpoints/{id}',
    summary: 'An endpoint, with how its last attempts ended',
    permission: 'endpoints:read',
    cost: 'read',
    responses: is,
    problems: ['not-found'],
    async handle({ principal: { tenant }, params: { id } }, { endpoints }) {
      const found = await endpoints.findEndpoint({ tenant, endpointId: id });
      return { status: 200, body: bodyOf(found && { endpoint: found }) };
    },
  }),
];

/** A URL is judged where it would be new: a repetition gets its first answer. */
async function judgeNew(
  { webhooks, endpoints }: Pick<Services, 'webhooks' | 'endpoints'>,
  asked: { readonly tenant: string; readonly endpointId: string; readonly url: string },
): Promise<void> {
  if ((await endpoints.findEndpoint(asked)) !== undefined) return;
  await webhooks.judge({ tenant: asked.tenant, target: { url: asked.url } });
}

/** Where a tenant's webhooks go, with the secrets that sign them. */
export const endpointOperations: readonly Operation[] = [
  ...reading,
  defineOperation({
    ...common,
    operationId: 'putEndpoint',
    method: 'PUT',
    path: '/v1/endpoints/{id}',
    summary: 'Create an endpoint, once, and show its secret',
    body: endpointInput,
    responses: {
      200: { description: 'It was created before with the same body. Its secret is not shown again.', body: withHint },
      201: { description: 'Created.', body: withSecret, headers: ['Location'] },
    },
    problems: ['endpoint-conflict', 'target-not-allowed', 'not-configured', 'limit-reached'],
    async handle({ principal: { tenant }, params: { id }, body }, services) {
      const wanted = { tenant, endpointId: id, ...body };
      await judgeNew(services, wanted);
      const created = await services.endpoints.createEndpoint(wanted);
      if (created.kind === 'conflict') throw new Problem('endpoint-conflict');
      if (created.kind === 'replayed') return { status: 200, body: { ...toBody(created.endpoint), hint: shownBefore } };
      return {
        status: 201,
        body: { ...toBody(created.endpoint), secret: created.secret },
        headers: { Location: `/v1/endpoints/${id}` },
      };
    },
  }),
  defineOperation({
    ...common,
    operationId: 'rotateEndpointSecret',
    method: 'POST',
    path: '/v1/endpoints/{id}/rotate',
    summary: 'Make a new secret and show it; earlier ones sign on for a while',
    responses: { 200: { description: 'The endpoint with its new secret.', body: withSecret } },
    problems: ['not-found', 'not-configured', 'limit-reached'],
    async handle({ principal: { tenant }, params: { id } }, { endpoints }) {
      const rotated = await endpoints.rotateSecret({ tenant, endpointId: id });
      return { status: 200, body: { ...bodyOf(rotated), secret: rotated?.secret } };
    },
  }),
  changing('dropOldSecrets', 'drop-old-secrets', 'Let the newest secret alone sign'),
  changing('disableEndpoint', 'disable', 'Send nothing to an endpoint'),
  changing('enableEndpoint', 'enable', 'Send to an endpoint again'),
  defineOperation({
    ...common,
    operationId: 'deleteEndpoint',
    method: 'DELETE',
    path: '/v1/endpoints/{id}',
    summary: 'Delete an endpoint with its secrets; attempts to deliver to it fail from then on',
    responses: { 204: { description: 'Deleted.' } },
    problems: ['not-found'],
    async handle({ principal: { tenant }, params: { id } }, { endpoints }) {
      if (!(await endpoints.deleteEndpoint({ tenant, endpointId: id }))) throw new Problem('not-found');
      return { status: 204 };
    },
  }),
];
