import { describe, expect, it } from 'vitest';
import { resolution, transferInput } from '../../src/catalog/transfers.ts';
import { userGrantInput } from '../../src/catalog/user-grants.ts';

const transfer = { transferId: 't-1', from: 'a', to: 'b', amount: { currency: 'EUR', minor: '1250' } };

/** The paths at which an input is refused; empty where it is taken. */
const refusedAt = (result: { error?: { issues: { path: PropertyKey[] }[] } | undefined }): string[] =>
  (result.error?.issues ?? []).map(({ path }) => path.join('.'));

describe('the input of a transfer', () => {
  it.each(['1', '1250', '999999999999999'])('takes %s minor units', (minor) => {
    const input = { ...transfer, amount: { currency: 'EUR', minor } };
    expect(refusedAt(transferInput.safeParse(input))).toEqual([]);
  });

  it.each(['0', '-1', '1.5', '01', '1e3', '', ' 1', '1\n', '1000000000000000', 1250])(
    'refuses %j minor units',
    (minor) => {
      const input = { ...transfer, amount: { currency: 'EUR', minor } };
      expect(refusedAt(transferInput.safeParse(input))).toEqual(['amount.minor']);
    },
  );

  it.each(['eur', 'EURO', 'E1R', ''])('refuses the currency %j', (currency) => {
    const input = { ...transfer, amount: { currency, minor: '1250' } };
    expect(refusedAt(transferInput.safeParse(input))).toEqual(['amount.currency']);
  });

  it.each(['', '.', '..', 'a/b', 'a~2', 'a b', 'ä', 'a\n', 'x'.repeat(129)])('refuses the key %j', (transferId) => {
    expect(refusedAt(transferInput.safeParse({ ...transfer, transferId }))).toEqual(['transferId']);
  });

  it.each(['...', 'a.b', 'A-Z_0:9', 'x'.repeat(128)])('takes the key %j', (transferId) => {
    expect(refusedAt(transferInput.safeParse({ ...transfer, transferId }))).toEqual([]);
  });

  it('refuses a transfer from an account to itself, and says where', () => {
    expect(refusedAt(transferInput.safeParse({ ...transfer, to: 'a' }))).toEqual(['to']);
  });

  it('refuses a field it does not know', () => {
    expect(transferInput.safeParse({ ...transfer, approved: true }).success).toBe(false);
  });
});

describe('the input of resolve', () => {
  it('needs a note for a settlement and none for a retry', () => {
    expect(resolution.safeParse({ how: 'retry' }).success).toBe(true);
    expect(resolution.safeParse({ how: 'settle', note: 'paid out in cash' }).success).toBe(true);
    expect(resolution.safeParse({ how: 'settle' }).success).toBe(false);
    expect(resolution.safeParse({ how: 'retry', note: 'none' }).success).toBe(false);
  });
});

describe('the input of a user grant', () => {
  const user = { userId: 'ada', name: 'Ada' };

  it.each(['2001-05-31', '2004-02-29'])('takes the birth date %s', (birthDate) => {
    expect(refusedAt(userGrantInput.safeParse({ ...user, birthDate }))).toEqual([]);
  });

  it.each(['2001-02-29', '2001-13-01', '31.05.2001', '2001-05-31T00:00:00Z'])(
    'refuses the birth date %s',
    (birthDate) => {
      expect(refusedAt(userGrantInput.safeParse({ ...user, birthDate }))).toEqual(['birthDate']);
    },
  );

  it.each(['en', 'de-AT', 'zh-Hant-TW'])('takes the locale %s', (locale) => {
    expect(refusedAt(userGrantInput.safeParse({ ...user, locale }))).toEqual([]);
  });

  it.each(['e', 'EN', 'en_US', 'en-'])('refuses the locale %s', (locale) => {
    expect(refusedAt(userGrantInput.safeParse({ ...user, locale }))).toEqual(['locale']);
  });
});
