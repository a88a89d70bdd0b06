import type { z } from 'zod';
import {
  type ActionDefinition,
  permissionOf,
  type ProcessDefinition,
  type ViewDefinition,
} from '../definition/definition.ts';
import { isInterrupted } from '../definition/told.ts';
import { Problem } from '../problems.ts';
import { type Call, defineOperation, type Operation, type Services } from './operation.ts';
import { addressOf, describe, instanceParams, waitForResult } from './reads.ts';
import {
  collectionPathOf,
  instanceSchemasOf,
  pascalCase,
  problemsOfTelling,
  resourceStemOf,
  schemaStemOf,
} from './representation.ts';

/** The declared verbs of a definition: `POST …/{id}/approve`. */
export const actionOperationsOf = (definition: ProcessDefinition): Operation[] =>
  Object.entries(definition.actions).map(([name, action]) => actionOperationOf(definition, name, action));

const whyKey =
  'The Idempotency-Key header is required here: the same request again may be meant as another one, and only the key ' +
  'tells a repetition from that.';

/** `runNow` of `run-now`. */
const camelCase = (name: string): string => name.charAt(0) + pascalCase(name).slice(1);

function actionOperationOf(definition: ProcessDefinition, name: string, action: ActionDefinition): Operation {
  const { instance, withResult } = instanceSchemasOf(definition);
  const stem = `${schemaStemOf(definition)}${pascalCase(name)}`;
  const output = action.output.describe('What the action answered.');
  return defineOperation({
    operationId: `${camelCase(name)}${resourceStemOf(definition)}`,
    method: 'POST',
    path: `${collectionPathOf(definition)}/{id}/${name}`,
    summary: action.summary,
    tag: definition.name,
    permission: permissionOf(definition, name),
    cost: 'action',
    process: definition.name,
    params: instanceParams,
    body: action.input,
    bodyIsOptional: action.input.safeParse({}).success,
    understands: ['prefer-wait', 'idempotency-key'],
    ...(action.repetition === 'each' ? { requires: ['idempotency-key'], whyRequired: whyKey } : {}),
    responses: {
      200: {
        description: 'Applied, and the instance has ended.',
        body: withResult.extend({ output }).meta({ id: `${stem}AnswerWithResult` }),
        headers: ['Preference-Applied'],
      },
      202: {
        description: 'Applied; the instance goes on.',
        body: instance.extend({ output }).meta({ id: `${stem}Answer` }),
        headers: ['Retry-After', 'Preference-Applied'],
      },
    },
    problems: [
      'invalid-key',
      'second-person-required',
      'not-found',
      'action-not-allowed',
      'too-late',
      'idempotency-mismatch',
      ...problemsOfTelling(definition),
      'action-failed',
      ...(action.refusals ?? []),
    ],
    async handle(call, services) {
      const answered = await perform({ definition, name, action }, call, services);
      // From here on the action has been applied, whatever comes of reading the instance.
      const answer = await waitForResult(definition, call, services).catch((error: unknown) => {
        throw error instanceof Problem ? new Problem(error.code, { ...error.options, effect: 'applied' }) : error;
      });
      return { ...answer, body: { ...answer.body, output: answered } };
    },
  });
}

interface Asked {
  readonly definition: ProcessDefinition;
  readonly name: string;
  readonly action: ActionDefinition;
}

type InstanceCall = Call<z.output<typeof instanceParams>>;

/**
 * Gives the output of the action. What `admit` refuses may be the repetition of an action that was taken before: then the
 * first answer stands. A missing permission is always refused.
 */
async function perform({ definition, name, action }: Asked, call: InstanceCall, services: Services): Promise<unknown> {
  const { principal, idempotencyKey, signal } = call;
  const { gateway } = services;
  const address = addressOf(definition, call);
  const asked = { ...address, action: name, body: call.rawBody, input: call.body, actor: principal.actor };
  let admitted;
  try {
    admitted = await admit(action, address, call, services);
  } catch (error) {
    const isFinal = !(error instanceof Problem) || error.kind.retryable || error.code === 'forbidden';
    if (isFinal || idempotencyKey === undefined) throw error;
    const earlier = await gateway.findAnswer({ ...asked, idempotencyKey }, signal);
    if (earlier === undefined) throw error;
    return earlier.output;
  }
  return gateway
    .act({ ...asked, admitted, idempotencyKey }, signal)
    .catch((error: unknown) => refuseAs(error, address, call, services));
}

/** What `admit` of an action gives; undefined where the action has none. Throws what it refuses with, or `not-found`. */
async function admit(
  { admit: judge }: ActionDefinition,
  address: ReturnType<typeof addressOf>,
  call: Pick<Call, 'principal' | 'signal'> & { readonly body: unknown },
  services: Services,
): Promise<unknown> {
  if (judge === undefined) return undefined;
  const { principal, signal } = call;
  const instance = await describe(address, call, services);
  return judge({ input: call.body as never, instance, principal, services, signal });
}

/**
 * An instance that the engine stopped takes no action, and is not over: `too-late` would say that it is. Where the
 * permanent row cannot be read, nothing certain can be told, but that nothing was done.
 */
async function refuseAs(
  error: unknown,
  address: ReturnType<typeof addressOf>,
  call: Pick<Call, 'signal'>,
  services: Pick<Services, 'gateway' | 'permanentRows'>,
): Promise<never> {
  if (!(error instanceof Problem) || error.code !== 'too-late') throw error;
  const { effect } = error.options;
  const told = await describe(address, call, services).catch((cause: unknown) => {
    throw cause instanceof Problem ? new Problem(cause.code, { ...cause.options, effect: effect ?? 'none' }) : cause;
  });
  if (!isInterrupted(told)) throw error;
  throw new Problem('action-not-allowed', {
    detail: 'The instance is interrupted, and can be changed again once it is resumed.',
    ...(effect === undefined ? {} : { effect }),
    cause: error,
  });
}

/** The declared questions of a definition: `GET …/{id}/{view}`. They need a worker that runs. */
export const viewOperationsOf = (definition: ProcessDefinition): Operation[] =>
  Object.entries(definition.views).map(([name, view]) => viewOperationOf(definition, name, view));

const viewOperationOf = (definition: ProcessDefinition, name: string, view: ViewDefinition): Operation =>
  defineOperation({
    operationId: `get${resourceStemOf(definition)}${pascalCase(name)}`,
    method: 'GET',
    path: `${collectionPathOf(definition)}/{id}/${name}`,
    summary: view.summary,
    tag: definition.name,
    permission: permissionOf(definition, 'read'),
    cost: 'read',
    process: definition.name,
    params: instanceParams,
    responses: { 200: { description: 'The answer of the instance.', body: view.output } },
    problems: ['not-found'],
    async handle(call, { gateway }) {
      return { status: 200, body: await gateway.view(addressOf(definition, call), name, call.signal) };
    },
  });
