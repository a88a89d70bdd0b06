import type { IncomingHttpHeaders } from 'node:http';
import type { Carried, RequestFeature, TagCondition } from '../operations/carried.ts';
import type { Operation } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { parseTagCondition } from './entity-tags.ts';
import { isSafe } from './methods.ts';

type Declared = Pick<Operation, 'method' | 'understands' | 'requires' | 'whyRequired'>;

/**
 * What a request carries in its headers, by the rules of `Operation.understands`. Throws `invalid-key` or
 * `invalid-request`. A wait is at most `maxWaitMs` long.
 */
export function carriedBy(headers: IncomingHttpHeaders, operation: Declared, maxWaitMs: number): Carried {
  return {
    idempotencyKey: idempotencyKeyOf(headers, operation),
    ifMatch: conditionOf('if-match', headers, operation),
    ifNoneMatch: conditionOf('if-none-match', headers, operation),
    lastEventId: understands(operation, 'last-event-id') ? lastEventIdOf(headers) : undefined,
    waitMs: understands(operation, 'prefer-wait') ? waitMsOf(headers, maxWaitMs) : 0,
    traceparent: traceparentOf(headers),
  };
}

/** Whether an operation understands what a request may carry. What it requires it understands. */
export const understands = (operation: Declared, feature: RequestFeature): boolean =>
  operation.understands?.includes(feature) === true ||
  (feature === 'idempotency-key' && operation.requires?.includes(feature) === true);

/** Between commas; a comma in a quoted text is part of it. A text without its last quote goes to the end: no search begins anew. */
const preferences = /(?:"(?:[^"\\]|\\.?)*(?:"|$)|[^",])+/g;

/** With or without a value; what follows a semicolon are parameters of it. */
const waitPreference = /^[ \t]*wait[ \t]*(?:$|[=;])/i;
const waitSeconds = /^[^=]*=[ \t]*(?:"(\d+)"|(\d+))[ \t]*(?:$|;)/;

/** A preference that cannot be understood is ignored, and of the same one twice the first counts (RFC 7240, 2). */
function waitMsOf(headers: IncomingHttpHeaders, maxWaitMs: number): number {
  const prefer = headers['prefer'];
  if (prefer === undefined) return 0;
  const text = Array.isArray(prefer) ? prefer.join(',') : prefer;
  const wait = text.match(preferences)?.find((preference) => waitPreference.test(preference));
  const [, quoted, bare] = waitSeconds.exec(unescaped(wait ?? '')) ?? [];
  const seconds = quoted ?? bare;
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1_000, maxWaitMs);
}

/** In a quoted text `\3` stands for 3 (RFC 9110, 5.6.4). */
const unescaped = (preference: string): string => preference.replace(/\\(\d)/g, '$1');

const wholeKey = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/** The key, quoted or bare. */
function idempotencyKeyOf(headers: IncomingHttpHeaders, operation: Declared): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) {
    if (operation.requires?.includes('idempotency-key'))
      throw new Problem('invalid-key', {
        detail: operation.whyRequired ?? 'The Idempotency-Key header is required here.',
      });
    return undefined;
  }
  if (!understands(operation, 'idempotency-key')) return undefined;
  const [, quoted, bare] = typeof header === 'string' ? (wholeKey.exec(header.trim()) ?? []) : [];
  const key = quoted ?? bare;
  if (key === undefined) {
    throw new Problem('invalid-key', {
      detail: 'The Idempotency-Key header is 1 to 255 visible ASCII characters, once.',
    });
  }
  return key;
}

const conditionNames = { 'if-match': 'If-Match', 'if-none-match': 'If-None-Match' } as const;

function conditionOf(
  feature: keyof typeof conditionNames,
  headers: IncomingHttpHeaders,
  operation: Declared,
): TagCondition | undefined {
  const header = headers[feature];
  if (header === undefined) return undefined;
  if (!understands(operation, feature)) {
    if (feature === 'if-none-match' && isSafe(operation.method)) return undefined;
    throw refusal(conditionNames[feature], 'is not understood here, so what it asks for cannot be checked');
  }
  const condition = parseTagCondition(header);
  if (condition === undefined) throw refusal(conditionNames[feature], 'must be a list of entity tags, or *');
  return condition;
}

/** A caller that has seen no event may send an empty id. */
function lastEventIdOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['last-event-id'];
  if (header === undefined || header === '') return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) {
    throw refusal('Last-Event-ID', 'must be 1 to 255 visible ASCII characters, once');
  }
  return header;
}

const refusal = (parameter: string, message: string): Problem =>
  new Problem('invalid-request', { detail: 'A header does not fit.', errors: [{ parameter, message }] });

/** The W3C trace context, if it is well formed. */
function traceparentOf(headers: IncomingHttpHeaders): string | undefined {
  const traceparent = headers['traceparent'];
  return typeof traceparent === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)
    ? traceparent
    : undefined;
}
