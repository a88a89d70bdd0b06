import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { ProcessDefinition } from '../definition/definition.ts';
import type { EventDeclaration, EventFacts } from '../definition/events.ts';
import { eventKeyOf } from '../orchestration/identity.ts';
import { Problem, type ProblemError } from '../problems.ts';
import { type CloudEvent, isJsonType } from './cloud-events.ts';
import { type ItemRequest, type Operation, type SentItem, usualMaxBodyBytes } from './operation.ts';
import { collectionPathOf } from './representation.ts';

/** A type of events, and the start or action that it stands for. */
export interface KnownEvent {
  readonly event: EventDeclaration;
  readonly definition: ProcessDefinition;
  readonly operation: Operation;
}

/** Every event that the definitions declare, with its operation among `operations`. */
export const knownEventsOf = (definitions: readonly ProcessDefinition[], operations: readonly Operation[]) =>
  definitions.flatMap((definition) =>
    definition.events.map((event): KnownEvent => {
      const collection = collectionPathOf(definition);
      const path = 'action' in event ? `${collection}/{id}/${event.action}` : collection;
      const operation = operations.find((each) => each.method === 'POST' && each.path === path);
      if (operation === undefined) throw new Error(`no operation serves the event ${event.type}`);
      return { event, definition, operation };
    }),
  );

/**
 * What an event asks for. Throws a problem where no operation is asked: for data that is no JSON, and for a type that is
 * not known. What else is wrong is the fault of the request, which those are told who may ask the operation.
 */
export function requestOf(
  known: ReadonlyMap<string, KnownEvent>,
  sent: CloudEvent,
  { principal, bytes }: SentItem,
): ItemRequest {
  refuseOtherData(sent);
  const found = known.get(sent.type);
  if (found === undefined) throw unknownType([...known.values()], principal);
  const { operation } = found;
  try {
    refuseTooMuchData(sent, operation, bytes);
    return mapped(found, sent);
  } catch (error) {
    return { operation, params: {}, body: undefined, fault: faultOf(error) };
  }
}

function refuseOtherData({ data_base64: binary, datacontenttype = 'application/json' }: CloudEvent): void {
  if (binary !== undefined) {
    throw new Problem('unsupported-media-type', { detail: 'Binary data is not taken: `data` has the data as JSON.' });
  }
  if (isJsonType(datacontenttype)) return;
  throw new Problem('unsupported-media-type', { detail: 'The data of an event must be JSON.' });
}

function unknownType(known: readonly KnownEvent[], principal: SentItem['principal']): Problem {
  const allowed = known.filter(({ operation }) => principal?.permissions.has(operation.permission));
  const types = allowed.map(({ event }) => event.type).join(', ');
  return new Problem('unknown-event-type', {
    errors: [
      {
        pointer: '/type',
        message:
          types === '' ? 'is none that this token may send' : `is none of those that this token may send: ${types}`,
      },
    ],
  });
}

/** The data of an event may be as long as the body that it stands for. */
function refuseTooMuchData({ data }: CloudEvent, operation: Operation, bytes: number): void {
  const { maxBodyBytes = usualMaxBodyBytes } = operation;
  if (bytes <= maxBodyBytes || data === undefined) return;
  if (Buffer.byteLength(JSON.stringify(data)) > maxBodyBytes) throw new Problem('body-too-large');
}

function mapped({ event, definition, operation }: KnownEvent, sent: CloudEvent): ItemRequest {
  const data = parsedData(event.data, sent.data) as never;
  const { id, source, type, subject, time } = sent;
  const facts: EventFacts = { id, source, type, subject, time };
  const body = asJson('action' in event ? event.body(data, facts) : event.starts(data, facts));
  const isKeyed = 'action' in event || definition.key.from === 'header';
  return {
    operation,
    params: 'action' in event ? { id: event.id(data, facts) } : {},
    body,
    ...(isKeyed ? { idempotencyKey: eventKeyOf(source, id) } : {}),
    explain: (problem) => inTermsOfData(problem, sent.data, body),
  };
}

function parsedData(schema: z.ZodType, data: unknown): unknown {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues
    .slice(0, maxErrors)
    .map(({ path, message }) => ({ pointer: pointerTo(path), message }));
  throw new Problem('invalid-request', { detail: 'The data of the event does not fit.', errors });
}

const maxErrors = 20;

const pointerTo = (path: readonly PropertyKey[]): string =>
  ['/data', ...path.map((name) => `/${String(name).slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`)].join(
    '',
  );

/** What a caller could have sent: members without a value are left out, as they are from the fingerprint of a body. */
const asJson = (body: unknown): unknown =>
  body === undefined ? undefined : (JSON.parse(JSON.stringify(body)) as unknown);

/** A mapping that throws says that the data fits nothing. */
const faultOf = (error: unknown): Problem =>
  error instanceof Problem
    ? error
    : new Problem('invalid-request', {
        detail: 'The event cannot be mapped to what it stands for.',
        errors: [{ pointer: '/data', message: 'cannot be mapped' }],
        cause: error,
      });

/**
 * The errors of a body, as errors of the data that it was made of. One points to a member where the mapping kept the value
 * at its place, and to all of the data elsewhere.
 */
function inTermsOfData(problem: Problem, data: unknown, body: unknown): Problem {
  const { errors } = problem.options;
  if (errors === undefined || problem.code !== 'invalid-request') return problem;
  const inData = ({ pointer, message }: ProblemError): ProblemError =>
    pointer !== undefined && isKept(pointer, data, body)
      ? { pointer: `/data${pointer}`, message }
      : { pointer: '/data', message: `does not fit once it is mapped: ${message}` };
  return new Problem(problem.code, {
    ...problem.options,
    detail: 'What the event is mapped to does not fit.',
    errors: errors.map(inData),
  });
}

function isKept(pointer: string, data: unknown, body: unknown): boolean {
  const value = valueAt(body, pointer);
  return value !== undefined && isDeepStrictEqual(value, valueAt(data, pointer));
}

const valueAt = (value: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((inner, name) => (isObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined), value);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
