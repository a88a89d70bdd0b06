import { permissionOf, type ProcessDefinition } from '../definition/definition.ts';
import { businessKey } from '../definition/fields.ts';
import { rowsOf } from '../definition/permanent-row.ts';
import { startPrepared } from '../definition/prepared-start.ts';
import { isInterrupted, tellOne, type Told, toldByRow } from '../definition/told.ts';
import { fingerprintOf, hashedKey } from '../orchestration/identity.ts';
import type { StartOutcome } from '../orchestration/start.ts';
import { Problem } from '../problems.ts';
import type { Answer, Call, Operation, Services } from './operation.ts';
import { type addressOf, endedAs, withResult } from './reads.ts';
import {
  answerWith,
  collectionPathOf,
  instanceSchemasOf,
  problemsOfTelling,
  resourceStemOf,
  toRepresentation,
} from './representation.ts';

/** `POST` to the collection: starts an instance at most once for its key. */
export function startOperationOf(definition: ProcessDefinition): Operation {
  const schemas = instanceSchemasOf(definition);
  return {
    operationId: `start${resourceStemOf(definition)}`,
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
    problems: ['invalid-key', 'idempotency-mismatch', ...(definition.refusals ?? []), ...problemsOfTelling(definition)],
    instanceOf: (call) => keyOf(definition, call),
    handle: (call, services) => start(definition, call, services),
  };
}

const whatItCarries = ({ key }: ProcessDefinition): Pick<Operation, 'understands' | 'requires'> =>
  key.from === 'header'
    ? { understands: ['prefer-wait'], requires: ['idempotency-key'] }
    : { understands: ['prefer-wait', 'idempotency-key'] };

async function start(definition: ProcessDefinition, call: Call, services: Services): Promise<Answer> {
  const { gateway, countStart } = services;
  const { principal, signal, waitMs } = call;
  const address = { definition, tenant: principal.tenant, key: keyOf(definition, call) };
  const location = `${collectionPathOf(definition)}/${address.key}`;
  const asked = { ...address, input: inputOf(call), body: call.rawBody };
  const request = { ...asked, startedBy: principal.actor, traceparent: call.traceparent };
  const found = await startPrepared(request, { gateway, principal, services, signal });
  const outcome = await byPermanentRow(address, found, call, services).catch((error: unknown) => {
    // The instance may exist: `none` would read as if nothing had been started.
    throw error instanceof Problem ? new Problem(error.code, { ...error.options, effect: 'unknown' }) : error;
  });
  countStart(definition.name, outcome.kind);
  const started = answerable(outcome, location);
  const { told, hasWaited } = await waitUntilClosed(address, started, call, services);
  const headers = {
    Location: location,
    'Idempotency-Status': started.kind,
    ...(hasWaited ? { 'Preference-Applied': `wait=${waitMs / 1_000}` } : {}),
  };
  const asksForResult = waitMs > 0 || started.kind === 'replayed';
  if (!asksForResult) return answerWith(toRepresentation(definition, told, principal), headers);
  // The instance exists by now: a failure to read its result must not look like a failure to start it.
  const representation = await withResult(address, told, call, services).catch(() =>
    toRepresentation(definition, told, principal),
  );
  return answerWith(representation, headers);
}

type Address = ReturnType<typeof addressOf>;

/**
 * What a start found, put right by the permanent row where there is one. An instance that the engine stopped before its
 * row had an outcome is joined. A mismatch may be that of a later payload: the row's own payload takes precedence.
 */
async function byPermanentRow(
  address: Address,
  outcome: StartOutcome,
  call: Call,
  { permanentRows }: Pick<Services, 'permanentRows'>,
): Promise<StartOutcome> {
  if (outcome.kind === 'replayed') {
    return foundAs(await tellOne(address, outcome.snapshot, permanentRows, { ownsConflict: true }));
  }
  if (outcome.kind !== 'mismatch') return outcome;
  const { definition, tenant, key } = address;
  const fingerprint = fingerprintOf({ tenant, process: definition.name, body: call.rawBody });
  const row = await rowsOf(definition, permanentRows)?.findSame({ tenant, key, input: call.body, fingerprint });
  return row === undefined ? outcome : foundAs(toldByRow(row));
}

const foundAs = (snapshot: Told) =>
  ({ kind: snapshot.status === 'running' ? 'joined' : 'replayed', snapshot }) as const;

/** The instance as it stands after the time that the caller is willing to wait, as far as it can be read. */
async function waitUntilClosed(
  address: Address,
  { snapshot }: Started,
  { signal, waitMs, endTurn }: Pick<Call, 'signal' | 'waitMs' | 'endTurn'>,
  { gateway, permanentRows }: Pick<Services, 'gateway' | 'permanentRows'>,
): Promise<{ told: Told; hasWaited: boolean }> {
  if (waitMs === 0 || isInterrupted(snapshot)) return { told: snapshot, hasWaited: false };
  if (snapshot.status === 'closed') return { told: snapshot, hasWaited: true };
  endTurn();
  const waited = await gateway.untilClosed(address, snapshot, waitMs, signal);
  const hasWaited = waited.kind !== 'not-waited';
  try {
    const ended = endedAs(snapshot, waited) ?? (await gateway.describe(address, signal));
    if (ended === undefined) return { told: snapshot, hasWaited };
    return { told: await tellOne(address, ended, permanentRows, { ownsConflict: true }), hasWaited };
  } catch {
    return { told: snapshot, hasWaited };
  }
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

/**
 * The instance id that a start's business key gives. Throws `invalid-key`, also where the key is a field of the body and
 * the header, which many clients send with every POST, has another one.
 */
function keyOf({ key }: ProcessDefinition, call: Call): string {
  const value = key.from === 'body' ? inputOf(call)[key.field] : call.idempotencyKey;
  if (key.from === 'body' && call.idempotencyKey !== undefined && call.idempotencyKey !== value) {
    throw new Problem('invalid-key', {
      detail: `The key is the field ${key.field} of the body. The Idempotency-Key header must equal it, or be left out.`,
    });
  }
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
