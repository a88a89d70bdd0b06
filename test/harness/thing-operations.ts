import { z } from 'zod';
import type { Call, Operation } from '../../src/operations/operation.ts';
import { problems } from '../../src/problem-table.ts';
import { Problem, type ProblemCode } from '../../src/problems.ts';

/** What an operation for tests need not say: it reads, asks for `things:read`, takes any query, answers 200. */
export const probe = (
  operation: Pick<Operation, 'operationId' | 'path' | 'handle'> & Partial<Operation>,
): Operation => ({
  method: 'GET',
  summary: 'For tests',
  tag: 'things',
  permission: 'things:read',
  cost: 'read',
  problems: [],
  query: z.looseObject({}),
  responses: { 200: { description: 'Anything.', body: z.unknown() } },
  ...operation,
});

const idParams = z.object({ id: z.string() });

const who = ({ principal: { tenant, actor, permissions } }: Call) => ({ tenant, actor, permissions: [...permissions] });

const body = (value: unknown) => Promise.resolve({ status: 200, body: value });

const start = { method: 'POST', permission: 'things:start', cost: 'start', process: 'things' } as const;

/** Operations that show what reaches a handler and what comes back from it. */
export const thingOperations: readonly Operation[] = [
  probe({
    operationId: 'getThing',
    path: '/v1/things/{id}',
    process: 'things',
    params: idParams,
    handle: (call) => body({ params: call.params, ...who(call) }),
  }),
  probe({
    ...start,
    operationId: 'startThing',
    path: '/v1/things',
    body: z.unknown(),
    responses: { 202: { description: 'Anything.', body: z.unknown(), headers: ['Location'] } },
    instanceOf: () => 't-1',
    handle: ({ rawBody }) =>
      Promise.resolve({ status: 202, body: { body: rawBody }, headers: { Location: '/v1/things/t-1' } }),
  }),
  probe({
    ...start,
    operationId: 'startLargeThing',
    path: '/v1/large-things',
    body: z.unknown(),
    maxBodyBytes: 65_536,
    responses: { 202: { description: 'Anything.', body: z.unknown() } },
    handle: ({ rawBody }) => Promise.resolve({ status: 202, body: { body: rawBody } }),
  }),
  probe({
    operationId: 'pokeThing',
    method: 'POST',
    path: '/v1/things/{id}/poke',
    permission: 'things:poke',
    cost: 'action',
    handle: () => body({}),
  }),
  // Reached by every valid token, with or without permissions: those that lack them are told 403.
  probe({ operationId: 'getAuthenticated', path: '/v1/authenticated', handle: (call) => body(who(call)) }),
  probe({ operationId: 'getPublic', path: '/v1/public', permission: 'public', handle: () => body({ is: 'public' }) }),
  probe({
    operationId: 'getBroken',
    path: '/v1/broken',
    handle: () => {
      throw new Error('canary-of-a-library', { cause: new Error('canary-below') });
    },
  }),
  probe({
    operationId: 'getProblem',
    path: '/v1/problems/{code}',
    params: z.object({ code: z.enum(Object.keys(problems) as ProblemCode[]) }),
    handle: ({ params }) => {
      throw new Problem(params['code'] as ProblemCode);
    },
  }),
];

const never = () => new Promise<never>(() => undefined);

/** Operations that never answer by themselves. */
export const slowOperations: readonly Operation[] = [
  probe({ operationId: 'getSlow', path: '/v1/slow', process: 'things', handle: never }),
  probe({ operationId: 'getSlowRow', path: '/v1/slow-row', handle: never }),
  probe({ operationId: 'getSlowEngine', path: '/v1/slow-engine', dependsOn: ['orchestration'], handle: never }),
  probe({ ...start, operationId: 'startSlow', path: '/v1/slow', body: z.unknown(), handle: never }),
];
