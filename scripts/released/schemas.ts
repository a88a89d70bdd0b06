import { isDeepStrictEqual } from 'node:util';
import type { Contract, Report, Schema } from './contract.ts';
import { compareValues, type Direction, type Pair, valueKeywords } from './values.ts';

/** What says nothing about which values fit. */
const annotations = ['description', 'title', 'examples', 'deprecated', 'discriminator', '$comment'];

const structure = ['$ref', 'properties', 'required', 'items', 'additionalProperties', 'anyOf', 'oneOf'];

const known = new Set([...annotations, ...valueKeywords, ...structure]);

interface Comparison {
  readonly direction: Direction;
  readonly report: Report;
  /** Compares what stands within. */
  readonly compare: (pair: Pair) => void;
  readonly fits: (pair: Pair) => boolean;
}

/** Compares schemas of the two documents, those that callers send and those that they are given. */
export function createSchemaComparison(released: Contract, present: Contract, report: Report) {
  // Schemas refer to themselves, and many operations to the same ones.
  let seen = new Set<string>();

  function compare(direction: Direction, pair: Pair, tell: Report): void {
    const key = `${direction} ${pair.before.$ref ?? ''} ${pair.now.$ref ?? ''}`;
    if (seen.has(key)) return;
    if (pair.before.$ref !== undefined && pair.now.$ref !== undefined) seen.add(key);
    const { place } = pair;
    const [before, now] = [resolve(released, pair.before), resolve(present, pair.now)];
    for (const keyword of unknownIn(before, now)) {
      tell('unknown-keyword', place, `the schema says ${keyword}, which is not compared: teach scripts/released it`);
    }
    const comparison: Comparison = {
      direction,
      report: tell,
      compare: (inner) => compare(direction, inner, tell),
      fits: (inner) => fits(direction, inner),
    };
    const resolved = { before, now, place };
    if (alternativesOf(before).length > 1 || alternativesOf(now).length > 1) compareAlternatives(comparison, resolved);
    else {
      compareValues(direction, resolved, tell);
      compareProperties(comparison, resolved);
      compareItems(comparison, resolved);
    }
  }

  /** What is found meanwhile is told to nobody, so it does not count as seen. */
  function fits(direction: Direction, pair: Pair): boolean {
    const before = new Set(seen);
    let isFitting = true;
    compare(direction, pair, () => (isFitting = false));
    seen = before;
    return isFitting;
  }

  return {
    sent: (before: Schema, now: Schema, place: string) => compare('sent', { before, now, place }, report),
    given: (before: Schema, now: Schema, place: string) => compare('given', { before, now, place }, report),
  };
}

/** Each alternative has a counterpart in the other document: one that it fits, or else the one of its name. */
function compareAlternatives({ direction, report, compare, fits }: Comparison, { before, now, place }: Pair): void {
  const [old, current] = [alternativesOf(before), alternativesOf(now)];
  const [asked, offered] = direction === 'sent' ? [old, current] : [current, old];
  const isClosed = direction === 'sent' || before['x-closed'] === true || old.length === 1 || current.length === 1;
  asked.forEach((each, index) => {
    const paired = (other: Schema): Pair =>
      direction === 'sent' ? { before: each, now: other, place } : { before: other, now: each, place };
    if (offered.some((other) => fits(paired(other)))) return;
    const counterpart = offered.find((other) => isNamedAlike(each, other));
    const name = `alternative ${index + 1} (${nameOf(each)})`;
    if (counterpart !== undefined) compare(paired(counterpart));
    else if (direction === 'sent') report('alternative-removed', place, `${name} is accepted no longer`);
    else if (isClosed) report('alternative-added', place, `${name} is given now`);
  });
}

function compareProperties({ direction, report, compare }: Comparison, { before, now, place }: Pair): void {
  const { properties: old = {}, required: wasRequired = [] } = before;
  const { properties: current = {}, required = [] } = now;
  for (const [name, schema] of Object.entries(old)) {
    const at = within(place, name);
    const counterpart = current[name];
    if (counterpart !== undefined) compare({ before: schema, now: counterpart, place: at });
    else if (direction === 'given') report('property-removed', at, 'the answer has it no longer');
    else if (now.additionalProperties === false) report('property-refused', at, 'the body may have it no longer');
    const wasThere = counterpart !== undefined && wasRequired.includes(name);
    if (direction === 'given' && wasThere && !required.includes(name)) {
      report('property-optional', at, 'the answer may lack it now');
    }
  }
  if (direction === 'given') return;
  for (const name of required.filter((each) => !wasRequired.includes(each))) {
    report('property-required', within(place, name), 'the body must have it now');
  }
}

function compareItems({ direction, report, compare }: Comparison, { before, now, place }: Pair): void {
  if (before.items !== undefined && now.items !== undefined) {
    compare({ before: before.items, now: now.items, place: `${place}[]` });
  }
  const [old = true, current = true] = [before.additionalProperties, now.additionalProperties];
  if (typeof old === 'object' && typeof current === 'object') {
    compare({ before: old, now: current, place: `${place}.*` });
  } else if (direction === 'sent' && old !== false && current !== true) {
    report('properties-refused', place, 'the body may no longer have just any property');
  }
}

/** `POST /v1/things body name.first`. */
const within = (place: string, name: string): string =>
  /^[A-Z]+ [^ ]+ [^ ]+$/.test(place) ? `${place} ${name}` : `${place}.${name}`;

function resolve(contract: Contract, schema: Schema): Schema {
  const { components } = contract;
  const [only, ...others] = schema.oneOf ?? schema.anyOf ?? [];
  if (only !== undefined && others.length === 0) return resolve(contract, only);
  if (schema.$ref === undefined) return schema;
  const target = components.schemas?.[schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)];
  if (target === undefined) throw new Error(`there is no ${schema.$ref}`);
  return resolve(contract, target);
}

const unknownIn = (...schemas: readonly Schema[]): readonly string[] => [
  ...new Set(schemas.flatMap((schema) => Object.keys(schema).filter((keyword) => !known.has(keyword)))),
];

const alternativesOf = (schema: Schema): readonly Schema[] => schema.oneOf ?? schema.anyOf ?? [schema];

const nameOf = ({ $ref, type }: Schema): string => $ref?.slice($ref.lastIndexOf('/') + 1) ?? [type].flat().join(' or ');

/** Whether two alternatives have the same name, or the same constants in the same fields, or else ask for the same fields. */
function isNamedAlike(one: Schema, other: Schema): boolean {
  if (one.$ref !== undefined || other.$ref !== undefined) return one.$ref === other.$ref;
  const marksOf = ({ properties = {}, required = [], type }: Schema) => {
    const constants = Object.entries(properties).flatMap(([name, schema]) =>
      schema['const'] === undefined ? [] : [name, schema['const']],
    );
    return [type, constants.length > 0 ? constants : required];
  };
  return isDeepStrictEqual(marksOf(one), marksOf(other));
}
