import { describe, expect, it } from 'vitest';
import { isAdult } from '../../workflows/coming-of-age.ts';

describe('isAdult', () => {
  it.each([
    ['the day before the 18th birthday', '2008-05-31', '2026-05-30', false],
    ['the 18th birthday', '2008-05-31', '2026-05-31', true],
    ['a new year before the birthday', '2008-05-31', '2026-01-01', false],
    ['many years later', '1931-05-31', '2026-01-01', true],
    ['28 February, for a leap day child', '2008-02-29', '2026-02-28', false],
    ['1 March, for a leap day child', '2008-02-29', '2026-03-01', true],
    ['a leap day, the birthday being the day before', '2010-02-28', '2028-02-29', true],
    ['a leap day, the birthday being the day after', '2010-03-01', '2028-02-29', false],
    ['any day before birth', '9999-12-31', '2026-05-30', false],
  ])('on %s', (_, birthDate, today, expected) => {
    expect(isAdult(birthDate, today)).toBe(expected);
  });
});
