import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { decodeTypedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import { createAttributeEncoder } from './codec.ts';

const { KEYWORD, KEYWORD_LIST } = SearchAttributeType;

/** What Portico's processes publish for lists and for Temporal's own UI. */
const keys = {
  tenant: defineSearchAttributeKey('PorticoTenant', KEYWORD),
  process: defineSearchAttributeKey('PorticoProcess', KEYWORD),
  step: defineSearchAttributeKey('PorticoStep', KEYWORD),
  outcome: defineSearchAttributeKey('PorticoOutcome', KEYWORD),
  labels: defineSearchAttributeKey('PorticoLabels', KEYWORD_LIST),
};

/** What the Temporal CLI and the Temporal API (`IndexedValueType`) call a type. */
const typeNames = {
  KEYWORD: { ofCli: 'Keyword', ofApi: 2 },
  KEYWORD_LIST: { ofCli: 'KeywordList', ofApi: 7 },
} as const;

/** The attributes by name, with the types of the Temporal CLI. */
export const searchAttributes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(keys).map(({ name, type }) => [name, typeNames[type].ofCli]),
);

/** The attributes by name, with the types of the Temporal API. */
export const indexedTypes: readonly (readonly [name: string, type: number])[] = Object.values(keys).map(
  ({ name, type }) => [name, typeNames[type].ofApi],
);

/** The command an operator runs where Portico may not register the attributes itself. */
export const registerCommand =
  'temporal operator search-attribute create ' +
  Object.entries(searchAttributes)
    .map(([name, type]) => `--name ${name} --type ${type}`)
    .join(' ');

/** A visibility query that names every attribute and finds nothing. Temporal refuses it while one is not registered. */
export const probeQuery = Object.keys(searchAttributes)
  .map((name) => `${name} = '-'`)
  .join(' AND ');

type IndexedFields = Parameters<typeof decodeTypedSearchAttributes>[0];

/** How a label is stored: `from:acc-1`. */
export const labelOf = (name: string, value: string): string => `${name}:${value}`;

const encodeKeyword = createAttributeEncoder(typeNames.KEYWORD.ofCli);
const encodeKeywords = createAttributeEncoder(typeNames.KEYWORD_LIST.ofCli);

/** The attributes of what belongs to a tenant: an instance, a schedule, or a firing of one. */
export const ownedAttributes = (owned: { tenant: string; process: string; labels: string[] }) => ({
  [keys.tenant.name]: encodeKeyword(owned.tenant),
  [keys.process.name]: encodeKeyword(owned.process),
  ...(owned.labels.length === 0 ? {} : { [keys.labels.name]: encodeKeywords(owned.labels) }),
});

/** The attributes of a new instance. */
export const startAttributes = ({
  step,
  ...owned
}: {
  tenant: string;
  process: string;
  step: string;
  labels: string[];
}) => ({
  ...ownedAttributes(owned),
  [keys.step.name]: encodeKeyword(step),
});

/** The attributes that Describe and List give of an instance. */
export function readAttributes(fields: IndexedFields) {
  const attributes = decodeTypedSearchAttributes(fields);
  return {
    tenant: attributes.get(keys.tenant),
    process: attributes.get(keys.process),
    step: attributes.get(keys.step),
    outcome: attributes.get(keys.outcome),
  };
}
