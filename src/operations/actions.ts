import {
  type ActionDefinition,
  permissionOf,
  type ProcessDefinition,
  type ViewDefinition,
} from '../definition/definition.ts';
import { Problem } from '../problems.ts';
import { defineOperation, type Operation } from './operation.ts';
import { addressOf, instanceParams, waitForResult } from './reads.ts';
import { collectionPathOf, instanceSchemasOf, pascalCase, problemsOfTelling, schemaStemOf } from './representation.ts';

/** The declared verbs of a definition: `POST …/{id}/approve`. */
export const actionOperationsOf = (definition: ProcessDefinition): Operation[] =>
  Object.entries(definition.actions).map(([name, action]) => actionOperationOf(definition, name, action));

function actionOperationOf(definition: ProcessDefinition, name: string, action: ActionDefinition): Operation {
  const { instance, withResult } = instanceSchemasOf(definition);
  return defineOperation({
    operationId: `${name}${schemaStemOf(definition)}`,
    method: 'POST',
    path: `${collectionPathOf(definition)}/{id}/${name}`,
    summary: action.summary,
    tag: definition.name,
    permission: permissionOf(definition, name),
    cost: 'action',
    process: definition.name,
    params: instanceParams,
    body: action.input,
    understands: ['prefer-wait', 'idempotency-key'],
    responses: {
      200: { description: 'Applied, and the instance has ended.', body: withResult, headers: ['Preference-Applied'] },
      202: {
        description: 'Applied; the instance goes on.',
        body: instance,
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
    ],
    async handle(call, services) {
      const { principal, idempotencyKey, signal } = call;
      const address = addressOf(definition, call);
      await services.gateway.act(
        { ...address, action: name, body: call.rawBody, input: call.body, actor: principal.actor, idempotencyKey },
        signal,
      );
      // From here on the action has been applied, whatever comes of reading the instance.
      return waitForResult(definition, call, services).catch((error: unknown) => {
        throw error instanceof Problem ? new Problem(error.code, { ...error.options, effect: 'applied' }) : error;
      });
    },
  });
}

/** The declared questions of a definition: `GET …/{id}/{view}`. They need a worker that runs. */
export const viewOperationsOf = (definition: ProcessDefinition): Operation[] =>
  Object.entries(definition.views).map(([name, view]) => viewOperationOf(definition, name, view));

const viewOperationOf = (definition: ProcessDefinition, name: string, view: ViewDefinition): Operation =>
  defineOperation({
    operationId: `get${schemaStemOf(definition)}${pascalCase(name)}`,
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
