import type { ProcessDefinition } from '../definition/definition.ts';
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
    permission: `${definition.name}:start`,
    cost: 'start',
    process: definition.name,
    body: definition.input,
    canWait: true,
    idempotencyKey:
      definition.key.from === 'header'
        ? 'required'
        : { refused: `The key is the field ${definition.key.field} of the body; send no Idempotency-Key header.` },
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
    handle: (call, services) => start(definition, call, services),
  };
}

async function start(definition: ProcessDefinition, call: Call, { gateway, countStart }: Services): Promise<Answer> {
  const { principal, signal, waitMs } = call;
  const input = call.body as Readonly<Record<string, unknown>>;
  const address = { definition, tenant: principal.tenant, key: keyOf(definition, input, call.idempotencyKey) };
  call.nameInstance(address.key);
  const location = `${collectionPathOf(definition)}/${address.key}`;
  const outcome = await gateway.start(
    { ...address, input, body: call.rawBody, startedBy: principal.actor, traceparent: call.traceparent },
    signal,
  );
  countStart(definition.name, outcome.kind);
  const started = answerable(outcome, location);
  const headers = { Location: location, 'Idempotency-Status': started.kind };
  if (waitMs === 0) return answerWith(toRepresentation(definition, started.snapshot, principal), headers);

  if (started.kind !== 'replayed') await gateway.untilClosed(address, waitMs, signal);
  // The instance exists by now: a failure to read it again must not look like a failure to start it.
  const snapshot = (await gateway.describe(address, signal).catch(() => undefined)) ?? started.snapshot;
  const representation = await withResult(address, snapshot, call, gateway).catch(() =>
    toRepresentation(definition, started.snapshot, principal),
  );
  return answerWith(representation, { ...headers, 'Preference-Applied': `wait=${waitMs / 1_000}` });
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
function keyOf(
  definition: ProcessDefinition,
  input: Readonly<Record<string, unknown>>,
  header: string | undefined,
): string {
  const { key } = definition;
  const value = key.from === 'body' ? input[key.field] : header;
  if (typeof value !== 'string') throw new Problem('invalid-key');
  if (key.hashed) return hashedKey(value);
  if (!businessKey.safeParse(value).success) {
    throw new Problem('invalid-key', {
      detail: 'A key is 1 to 128 of the characters A-Z a-z 0-9 . _ : - and neither . nor ..',
    });
  }
  return value;
}
