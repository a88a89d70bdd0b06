import type { Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import {
  decodeTypedSearchAttributes,
  encodeUnifiedSearchAttributes,
} from '@temporalio/common/lib/converter/payload-search-attributes.js';
import type { Logger } from 'pino';
import { retryUntilDone } from '../timing/retry.ts';
import { grpcCode, grpcCodeOf } from './failures.ts';

const tenant = defineSearchAttributeKey('PorticoTenant', SearchAttributeType.KEYWORD);
const process = defineSearchAttributeKey('PorticoProcess', SearchAttributeType.KEYWORD);
const step = defineSearchAttributeKey('PorticoStep', SearchAttributeType.KEYWORD);
const outcome = defineSearchAttributeKey('PorticoOutcome', SearchAttributeType.KEYWORD);
const labels = defineSearchAttributeKey('PorticoLabels', SearchAttributeType.KEYWORD_LIST);

/** What Portico's processes publish for lists and for Temporal's own UI, with the types of the Temporal CLI. */
export const searchAttributes = {
  PorticoTenant: 'Keyword',
  PorticoProcess: 'Keyword',
  PorticoStep: 'Keyword',
  PorticoOutcome: 'Keyword',
  PorticoLabels: 'KeywordList',
} as const;

// The numbers are IndexedValueType of the Temporal API.
const indexedTypes = Object.entries(searchAttributes).map(
  ([name, type]) => [name, { Keyword: 2, KeywordList: 7 }[type]] as const,
);

const callDeadlineMs = 5_000;
const retryEveryMs = 2_000;

type IndexedFields = Parameters<typeof decodeTypedSearchAttributes>[0];

/** How a label is stored: `from:acc-1`. */
export const labelOf = (name: string, value: string): string => `${name}:${value}`;

/** The attributes of a new instance. */
export const startAttributes = (start: { tenant: string; process: string; step: string; labels: string[] }) =>
  encodeUnifiedSearchAttributes(
    undefined,
    new TypedSearchAttributes([
      { key: tenant, value: start.tenant },
      { key: process, value: start.process },
      { key: step, value: start.step },
      ...(start.labels.length === 0 ? [] : [{ key: labels, value: start.labels }]),
    ]),
  );

/** What Describe and List bring back of an instance. */
export function readAttributes(fields: IndexedFields) {
  const attributes = decodeTypedSearchAttributes(fields);
  return {
    tenant: attributes.get(tenant),
    process: attributes.get(process),
    step: attributes.get(step),
    outcome: attributes.get(outcome),
  };
}

/** The command an operator runs where Portico may not register the attributes itself. */
export const registerCommand =
  'temporal operator search-attribute create ' +
  Object.entries(searchAttributes)
    .map(([name, type]) => `--name ${name} --type ${type}`)
    .join(' ');

/**
 * Registers the attributes that the namespace lacks. Throws where Portico may not, or where one exists with another type.
 * They are usable about two seconds later; the caller's start is answered 503 until then.
 */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const wrong = indexedTypes.filter(([name, type]) => (customAttributes[name] ?? type) !== type);
  if (wrong.length > 0) {
    throw new Error(`search attributes have another type in Temporal: ${wrong.map(([name]) => name).join(', ')}`);
  }
  const missing = indexedTypes.filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return;
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing) });
  } catch (error) {
    // Another replica was faster.
    if (grpcCodeOf(error) !== grpcCode.ALREADY_EXISTS) throw error;
  }
}

/** Registers the attributes in the background, as soon as Temporal lets it; the check says what is missing until then. */
export function ensureSearchAttributes(options: { connection: Connection; namespace: string; logger: Logger }) {
  const { connection, namespace, logger } = options;
  const stopping = new AbortController();
  let isDone = false;

  void retryUntilDone({
    work: async () => {
      await connection.withDeadline(Date.now() + callDeadlineMs, () => registerSearchAttributes(connection, namespace));
      isDone = true;
    },
    everyMs: retryEveryMs,
    signal: stopping.signal,
    onFailure: (error) =>
      logger.warn({ err: error, retryInMs: retryEveryMs }, 'search attributes could not be registered'),
  });

  return {
    /** Rejects while the attributes are not known to be registered. */
    check(): void {
      if (!isDone) throw new Error('the search attributes are not registered');
    },
    stop: (): void => stopping.abort(),
  };
}
