import { isDeepStrictEqual } from 'node:util';
import type { Report, Schema } from './contract.ts';

/** `sent`: every value that was accepted has to be. `given`: whoever read the values before has to be able to read them now. */
export type Direction = 'sent' | 'given';

/** A schema of the released document, the one of now in its place, both without reference, and where they stand. */
export interface Pair {
  readonly before: Schema;
  readonly now: Schema;
  readonly place: string;
}

/** Lower bounds, which may fall in what is sent, and upper bounds, which may rise. */
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];

/** Whatever they say now that they did not say before may refuse what was accepted. */
const opaqueLimits = [
  'pattern',
  'format',
  'multipleOf',
  'uniqueItems',
  'propertyNames',
  'contentEncoding',
  'contentMediaType',
];

/** The keywords that are compared here. */
export const valueKeywords = [
  ...lowerBounds,
  ...upperBounds,
  ...opaqueLimits,
  'type',
  'enum',
  'const',
  'default',
  'x-closed',
];

/** Compares which single values fit two schemas. */
export function compareValues(direction: Direction, pair: Pair, report: Report): void {
  compareTypes(direction, pair, report);
  compareEnums(direction, pair, report);
  if (direction === 'sent') compareLimits(pair, report);
}

function compareTypes(direction: Direction, { before, now, place }: Pair, report: Report): void {
  const [old, current] = [typesOf(before), typesOf(now)];
  const [asked, offered] = direction === 'sent' ? [old, current] : [current, old];
  if (offered === undefined) return;
  const strange = asked?.filter(
    (type) => !offered.includes(type) && !(type === 'integer' && offered.includes('number')),
  );
  if (strange === undefined || strange.length > 0) {
    report('type-changed', place, `${old?.join(' or ') ?? 'any type'} is now ${current?.join(' or ') ?? 'any type'}`);
  }
}

const typesOf = ({ type }: Schema): readonly string[] | undefined => (type === undefined ? undefined : [type].flat());

const valuesOf = (schema: Schema): readonly unknown[] | undefined =>
  schema.enum ?? (schema['const'] === undefined ? undefined : [schema['const']]);

const isClosed = (schema: Schema): boolean => schema['x-closed'] === true || schema['const'] !== undefined;

/** Answers may have new values unless the schema says that its values are all there are. */
function compareEnums(direction: Direction, { before, now, place }: Pair, report: Report): void {
  const [old, current] = [valuesOf(before), valuesOf(now)];
  if (direction === 'sent') {
    if (current === undefined) return;
    const refused = old?.filter((value) => !current.includes(value));
    if (refused === undefined) report('enum-narrowed', place, 'only some values are accepted now');
    else if (refused.length > 0) report('enum-narrowed', place, `no longer accepted: ${refused.join(', ')}`);
  } else if (old !== undefined && isClosed(before)) {
    const added = current?.filter((value) => !old.includes(value));
    if (added === undefined) report('enum-widened', place, 'any value may be given now');
    else if (added.length > 0) report('enum-widened', place, `a closed set has grown by ${added.join(', ')}`);
  }
}

function compareLimits({ before, now, place }: Pair, report: Report): void {
  const changed = (keyword: string): string => `${keyword} ${textOf(before[keyword])} is now ${textOf(now[keyword])}`;
  const isTighter = (keyword: string, sign: 1 | -1): boolean =>
    now[keyword] !== undefined &&
    (before[keyword] === undefined || sign * (Number(now[keyword]) - Number(before[keyword])) > 0);
  for (const keyword of [
    ...lowerBounds.filter((each) => isTighter(each, 1)),
    ...upperBounds.filter((each) => isTighter(each, -1)),
    ...opaqueLimits.filter((each) => now[each] !== undefined && !isDeepStrictEqual(before[each], now[each])),
  ]) {
    report('limit-narrowed', place, changed(keyword));
  }
  if (!isDeepStrictEqual(before['default'], now['default'])) report('default-changed', place, changed('default'));
}

const textOf = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
