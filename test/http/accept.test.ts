import { describe, expect, it } from 'vitest';
import { preferredType, takesGzip } from '../../src/http/accept.ts';

const json = 'application/json';
const page = 'text/html';

describe('the preferred type', () => {
  it.each<[string | undefined, string]>([
    [undefined, json],
    ['', json],
    ['*/*', json],
    // A browser.
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', page],
    ['text/html', page],
    ['TEXT/HTML', page],
    ['text/*', page],
    ['application/json, text/html', json],
    ['text/html, application/json', json],
    ['text/html;q=0.5, application/json;q=0.4', page],
    ['text/html ; q=0.300 , application/json ; q=0.299', page],
    ['application/json;q=0, text/html;q=0.001', page],
    // The most specific range decides.
    ['*/*, application/json;q=0.1', page],
    ['text/*;q=0.9, text/html;q=0.1, application/json;q=0.5', json],
    ['text/html;charset=utf-8;q=0.9, */*;q=0.1', page],
    // A quality that is none makes its range none.
    ['text/html;q=2, application/json;q=0.1', json],
    ['text/html;q=, application/json;q=0.1', json],
    // Neither is taken.
    ['image/png', json],
    ['*/*;q=0', json],
    [',;,', json],
  ])('of %j is %s', (field, expected) => {
    expect(preferredType(field, [json, page])).toBe(expected);
  });
});

describe('gzip', () => {
  it.each(['gzip', 'gzip, deflate, br', '*', 'x-gzip', 'gzip;q=0.5', 'GZIP;q=1.0, identity;q=1.0'])(
    'is taken by %j',
    (field) => {
      expect(takesGzip(field)).toBe(true);
    },
  );

  it.each([undefined, '', 'identity', 'br', 'gzip;q=0', '*;q=0', '*, gzip;q=0', 'gzip;q=0.5, identity'])(
    'is not taken by %j',
    (field) => {
      expect(takesGzip(field)).toBe(false);
    },
  );
});
