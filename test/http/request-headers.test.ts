import { describe, expect, it } from 'vitest';
import { idempotencyKeyOf, traceparentOf, waitMsOf } from '../../src/http/request-headers.ts';
import { operations } from '../../src/operations/index.ts';

describe('Prefer: wait', () => {
  it.each([
    ['wait=10', 10_000],
    ['wait="10"', 10_000],
    ['respond-async, wait=3', 3_000],
    ['Wait = 3; foo=bar', 3_000],
    ['wait=0', 0],
    ['wait=999', 25_000],
    ['wait=-1', 0],
    ['wait=ten', 0],
    ['await=10', 0],
    ['', 0],
  ])('%j asks for %i ms', (prefer, expected) => expect(waitMsOf({ prefer }, 25_000)).toBe(expected));

  it('is not asked for by others', () => expect(waitMsOf({}, 25_000)).toBe(0));
});

describe('Idempotency-Key', () => {
  const [base] = operations;
  if (base === undefined) throw new Error('there are no operations');
  const keyOf = (header: string | undefined, idempotencyKey: (typeof base)['idempotencyKey']) =>
    idempotencyKeyOf(header === undefined ? {} : { 'idempotency-key': header }, { ...base, idempotencyKey });

  it.each([
    ['abc', 'abc'],
    ['"abc"', 'abc'],
    [' a:b/c=# ', 'a:b/c=#'],
  ])('%j is the key %j', (header, key) => expect(keyOf(header, 'optional')).toBe(key));

  it.each(['', '""', 'a b', 'a"b', 'é', 'x'.repeat(256)])('%j is refused', (header) => {
    expect(() => keyOf(header, 'optional')).toThrow('1 to 255 visible ASCII');
  });

  it('is needed, may be left out, is refused with a reason, or does not matter', () => {
    expect(() => keyOf(undefined, 'required')).toThrow('required');
    expect(keyOf(undefined, 'optional')).toBeUndefined();
    expect(() => keyOf('k', { refused: 'The key is elsewhere.' })).toThrow('elsewhere');
    expect(keyOf('k', undefined)).toBeUndefined();
  });
});

it('traceparent counts only if it is well formed', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  expect(traceparentOf({ traceparent })).toBe(traceparent);
  expect(traceparentOf({ traceparent: `${traceparent}\r\nx: y` })).toBeUndefined();
  expect(traceparentOf({})).toBeUndefined();
});
