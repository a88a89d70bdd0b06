import { permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import { hashedKey } from '../orchestration/identity.ts';
import type { StartOutcome } from '../orchestration/start.ts';
import { Problem } from '../problems.ts';
import type { Answer, Call, Operation, Services } from './operation.ts';
import { withResult } from './reads.ts';
import { answerWith, collectionPathOf, instanceSchemasOf, schemaStemOf, toRepresentation } from './representation.ts';

/** `POST` to the collection: starts an instance at most once for its key. */
export function startOperationOf(definition: ProcessDefinition): Operation {
  const schemas = instanceSchemasOf(definition);
  return {
    operationId: `start${schemaStemOf(definition)}`,
    method: 'POST',
    path: collectionPathOf(definition),
    summary: definition.summary,
    tag: definition.name,
    permission: permissionOf(definition, 'start'),
    cost: 'start',
    process: definition.name,
    body: definition.input,
    ...(definition.maxBodyBytes === undefined ? {} : { maxBodyBytes: definition.maxBodyBytes }),
    ...whatItCarries(definition),
    responses: {
      200: {
        description: 'The instance has ended: before this request (`replayed`), or while it waited.',
        body: schemas.withResult,
        headers: ['Location', 'Idempotency-Status', 'Preference-Applied'],
      },
      202: {
        description: 'The instance runs: `created` by this request, or `joined`.',
        body: schemas.instance,
        headers: ['Location', 'Idempotency-Status', 'Preference-Applied', 'Retry-After'],
      },
    },
    problems: ['invalid-key', 'idempotency-mismatch'],
    instanceOf: (call) => keyOf(definition, call),
    handle: (call, services) => start(definition, call, services),
  };
}

/** A key in two places could be two keys: where it is a field of the body, the header is refused. */
const whatItCarries = ({ key }: ProcessDefinition): Pick<Operation, 'understands' | 'requires' | 'refuses'> =>
  key.from === 'header'
    ? { understands: ['prefer-wait'], requires: ['idempotency-key'] }
    : {
        understands: ['prefer-wait'],
        refuses: {
          'idempotency-key': `The key is the field ${key.field} of the body; send no Idempotency-Key header.`,
        },
      };

async function start(definition: ProcessDefinition, call: Call, { gateway, countStart }: Services): Promise<Answer> {
  const { principal, signal, waitMs } = call;
  const address = { definition, tenant: principal.tenant, key: keyOf(definition, call) };
  const location = `${collectionPathOf(definition)}/${address.key}`;
  const outcome = await gateway.start(
    { ...address, input: inputOf(call), body: call.rawBody, startedBy: principal.actor, traceparent: call.traceparent },
    signal,
  );
  countStart(definition.name, outcome.kind);
  const started = answerable(outcome, location);
  const headers = { Location: location, 'Idempotency-Status': started.kind };
  if (waitMs === 0) return answerWith(toRepresentation(definition, started.snapshot, principal), headers);

  const waited = started.kind === 'replayed' ? 'closed' : await gateway.untilClosed(address, waitMs, signal);
  const applied = waited === 'not-waited' ? {} : { 'Preference-Applied': `wait=${waitMs / 1_000}` };
  // The instance exists by now: a failure to read it again must not look like a failure to start it.
  const snapshot = (await gateway.describe(address, signal).catch(() => undefined)) ?? started.snapshot;
  const representation = await withResult(address, snapshot, call, gateway).catch(() =>
    toRepresentation(definition, started.snapshot, principal),
  );
  return answerWith(representation, { ...headers, ...applied });
}

type Started = Exclude<StartOutcome, { kind: 'mismatch' | 'unknown' }>;

/** The one place where the union of start outcomes becomes HTTP. */
function answerable(outcome: StartOutcome, location: string): Started {
  switch (outcome.kind) {
    case 'created':
    case 'joined':
    case 'replayed':
      return outcome;
    case 'mismatch':
      throw new Problem('idempotency-mismatch');
    case 'unknown':
      throw new Problem('outcome-unknown', { cause: outcome.cause, headers: { Location: location } });
  }
}

/** The instance id that a start's business key gives. Throws `invalid-key`. */
function keyOf({ key }: ProcessDefinition, call: Call): string {
  const value = key.from === 'body' ? inputOf(call)[key.field] : call.idempotencyKey;
  if (typeof value !== 'string') throw new Problem('invalid-key');
  if (key.hashed) return hashedKey(value);
  if (!businessKey.safeParse(value).success) {
    throw new Problem('invalid-key', {
      detail: 'A key is 1 to 128 of the characters A-Z a-z 0-9 . _ : - and neither . nor ..',
    });
  }
  return value;
}

/** The input of every process is an object. */
const inputOf = ({ body }: Call) => body as Readonly<Record<string, unknown>>;
