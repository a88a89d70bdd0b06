import { describe, expect, it } from 'vitest';
import { carriedBy } from '../../src/http/request-headers.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { Problem } from '../../src/problems.ts';

type Declared = Parameters<typeof carriedBy>[1];

const nothing = { method: 'POST' } as const;
const understanding = (...understands: NonNullable<Operation['understands']>): Declared => ({
  ...nothing,
  understands,
});
const carried = (headers: Record<string, string>, operation: Declared) => carriedBy(headers, operation, 25_000);

/** The problem that refuses a request with such headers. */
function refusalOf(headers: Record<string, string>, operation: Declared): Problem {
  try {
    carried(headers, operation);
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error('it was not refused');
}

describe('Prefer: wait', () => {
  const waitMs = (headers: Record<string, string>) => carried(headers, understanding('prefer-wait')).waitMs;

  it.each([
    ['wait=10', 10_000],
    ['wait="10"', 10_000],
    ['respond-async, wait=3', 3_000],
    ['Wait = 3; foo=bar', 3_000],
    ['wait=3; foo="bar", respond-async', 3_000],
    ['respond-async; wait=3', 0],
    ['respond-async; wait=3, wait=5', 5_000],
    ['wait="3', 0],
    ['note="a, wait=3", wait=2', 2_000],
    ['note="say \\"a\\", wait=3"', 0],
    ['wait=4, wait=2', 4_000],
    ['wait, wait=2', 0],
    ['wait="", wait=2', 0],
    ['wait; note=a, wait=2', 0],
    ['wait=ten, wait=2', 0],
    ['waiting=9, wait=2', 2_000],
    ['WAIT\t=\t"3" ;; note', 3_000],
    ['wait="\\1\\0"', 10_000],
    [',, ,wait=3,', 3_000],
    ['note="\\", wait=9", wait=2', 2_000],
    ['wait=3 respond-async', 0],
    ['wait=1.5', 0],
    ['wait=99999999999999999999', 25_000],
    ['wait=0', 0],
    ['wait=999', 25_000],
    ['wait=-1', 0],
    ['wait=ten', 0],
    ['await=10', 0],
    ['', 0],
  ])('%j asks for %i ms', (prefer, expected) => expect(waitMs({ prefer })).toBe(expected));

  it('of 16 KiB that never ends is read soon', () => {
    const startedAt = performance.now();
    for (const prefer of [
      '"\\a'.repeat(5_000),
      'wait=' + ' '.repeat(16_000) + 'x',
      ' '.repeat(16_000) + 'x',
      ',w'.repeat(8_000),
    ])
      expect(waitMs({ prefer })).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it('is not asked for by others', () => expect(waitMs({})).toBe(0));

  it('is ignored where it is not understood', () => expect(carried({ prefer: 'wait=10' }, nothing).waitMs).toBe(0));
});

describe('Idempotency-Key', () => {
  const keyOf = (header: string | undefined, operation = understanding('idempotency-key')) =>
    carried(header === undefined ? {} : { 'idempotency-key': header }, operation).idempotencyKey;

  it.each([
    ['abc', 'abc'],
    ['"abc"', 'abc'],
    [' a:b/c=# ', 'a:b/c=#'],
  ])('%j is the key %j', (header, key) => expect(keyOf(header)).toBe(key));

  it.each(['', '""', '"abc', 'abc"', 'a b', 'a"b', 'é', 'x'.repeat(256)])('%j is refused', (header) => {
    expect(() => keyOf(header)).toThrow('1 to 255 visible ASCII');
  });

  it('is needed, may be left out, or does not matter', () => {
    const required = { ...nothing, requires: ['idempotency-key'] } as const;
    expect(() => keyOf(undefined, required)).toThrow('required');
    expect(keyOf('k', required)).toBe('k');
    expect(keyOf(undefined)).toBeUndefined();
    expect(keyOf('k', nothing)).toBeUndefined();
    expect(keyOf('not a key', nothing)).toBeUndefined();
  });
});

const tag = (value: string, isWeak = false) => ({ value, isWeak });

describe('If-Match and If-None-Match', () => {
  const both = understanding('if-match', 'if-none-match');
  const conditionsOf = (field: string) => {
    const { ifMatch, ifNoneMatch } = carried({ 'if-match': field, 'if-none-match': field }, both);
    expect(ifNoneMatch).toEqual(ifMatch);
    return ifMatch;
  };

  it.each([
    ['*', '*'],
    ['"a"', [tag('a')]],
    ['W/"a"', [tag('a', true)]],
    ['""', [tag('')]],
    ['"a","b"', [tag('a'), tag('b')]],
    ['"a" ,\tW/"b,c" , ,"d\\"', [tag('a'), tag('b,c', true), tag('d\\')]],
    ['"\u00e9W/"', [tag('\u00e9W/')]],
  ])('%j is understood', (field, condition) => expect(conditionsOf(field)).toEqual(condition));

  it.each(['', ',', 'a', '"a', '"a" "b"', '"a b"', 'w/"a"', 'W/ "a"', '"a", *', '**', '"a"x', '"a\u0100"'])(
    '%j is refused, with the name of the header',
    (field) => {
      for (const [header, name] of [
        ['if-match', 'If-Match'],
        ['if-none-match', 'If-None-Match'],
      ] as const) {
        const { code, options } = refusalOf({ [header]: field }, both);
        expect(code).toBe('invalid-request');
        expect(options.errors).toEqual([{ parameter: name, message: 'must be a list of entity tags, or *' }]);
      }
    },
  );

  it('of 16 KiB that never ends is refused soon', () => {
    const startedAt = performance.now();
    for (const field of [' '.repeat(16_000) + 'x', '"a",'.repeat(4_000) + 'x', '"' + 'a'.repeat(16_000)]) {
      expect(refusalOf({ 'if-match': field }, both).code).toBe('invalid-request');
    }
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  it('are not there where nobody sent them', () => {
    expect(carried({}, both)).toMatchObject({ ifMatch: undefined, ifNoneMatch: undefined });
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE'] as const)(
    'that %s does not understand are refused, unless they can only make its answer shorter',
    (method) => {
      const { options } = refusalOf({ 'if-match': '"a"' }, { method });
      expect(options.errors).toMatchObject([{ parameter: 'If-Match' }]);
      const create = { 'if-none-match': '*' };
      if (method === 'GET') expect(carried(create, { method }).ifNoneMatch).toBeUndefined();
      else expect(refusalOf(create, { method }).options.errors).toMatchObject([{ parameter: 'If-None-Match' }]);
    },
  );
});

describe('Last-Event-ID', () => {
  const lastEventIdOf = (header: string, operation = understanding('last-event-id')) =>
    carried({ 'last-event-id': header }, operation).lastEventId;

  it('is what was sent, and nothing where it is empty or not understood', () => {
    expect(lastEventIdOf('41.7')).toBe('41.7');
    expect(lastEventIdOf('')).toBeUndefined();
    expect(lastEventIdOf('41.7', nothing)).toBeUndefined();
    expect(lastEventIdOf('no id', nothing)).toBeUndefined();
  });

  it.each(['a b', 'é', '1, 2', 'x'.repeat(256)])('%j is refused', (header) => {
    const { code, options } = refusalOf({ 'last-event-id': header }, understanding('last-event-id'));
    expect(code).toBe('invalid-request');
    expect(options.errors).toMatchObject([{ parameter: 'Last-Event-ID' }]);
  });
});

it('traceparent counts only if it is well formed', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const traceparentOf = (headers: Record<string, string>) => carried(headers, nothing).traceparent;
  expect(traceparentOf({ traceparent })).toBe(traceparent);
  expect(traceparentOf({ traceparent: `${traceparent}\r\nx: y` })).toBeUndefined();
  expect(traceparentOf({})).toBeUndefined();
});
