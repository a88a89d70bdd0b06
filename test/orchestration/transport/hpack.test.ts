import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeaders, encodeHeaders, type HeaderList } from '../../../src/orchestration/transport/hpack.ts';
import { decodeHuffman } from '../../../src/orchestration/transport/huffman.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('headers', () => {
  // The examples of RFC 7541, appendix C, that keep no table.
  it.each<[string, HeaderList]>([
    ['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]],
    ['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]],
    ['82', [[':method', 'GET']]],
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]],
    ['48 03 333032', [[':status', '302']]],
    ['4882 6402', [[':status', '302']]],
    ['20 88', [[':status', '200']]],
  ])('%s are read', (hex, headers) => {
    expect(decodeHeaders(bytes(hex))).toEqual(headers);
  });

  it.each([
    ['the index 0', '80'],
    ['an index of a table that nobody keeps', 'be'],
    ['a table that the peer wants to keep', '3fe11f'],
    ['an end amid a number', '1fff'],
    ['an end amid a string', '040c2f73'],
    ['a number without end', '1fffffffffffff7f'],
    ['a shortened string that is padded with zeros', '0481 18'],
  ])('with %s are refused', (_name, hex) => {
    expect(() => decodeHeaders(bytes(hex))).toThrow();
  });

  it('of any length come back as they were written', () => {
    const text = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)) });
    const long = fc.tuple(text, fc.integer({ min: 1, max: 200 })).map(([unit, times]) => unit.repeat(times));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, long)), (headers) => {
        expect(decodeHeaders(encodeHeaders(headers))).toEqual(headers);
      }),
    );
  });
});

// The first two are examples of RFC 7541, the last has the longest codes.
it.each([
  ['f1e3 c2e5 f23a 6ba0 ab90 f4ff', 'www.example.com'],
  ['d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['ffff fff3', '\n'],
])('the shortened string %s is read', (hex, text) => {
  expect(decodeHuffman(bytes(hex))).toBe(text);
});
