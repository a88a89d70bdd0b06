import type { EntityTag, TagCondition } from '../operations/carried.ts';

// RFC 9110, 8.8.3 and 5.6.1: a tag may hold commas, and a list may have empty places.
const place = /(?:[ \t]*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/gy;

/** The value of `If-Match` or `If-None-Match`; undefined if it is none. */
export function parseTagCondition(field: string): TagCondition | undefined {
  if (field.trim() === '*') return '*';
  const places = [...field.matchAll(place)];
  const readLength = places.reduce((length, [text]) => length + text.length, 0);
  const tags = places.flatMap(([, weak, value]): EntityTag[] =>
    value === undefined ? [] : [{ value, isWeak: weak !== undefined }],
  );
  return readLength === field.length && tags.length > 0 ? tags : undefined;
}
