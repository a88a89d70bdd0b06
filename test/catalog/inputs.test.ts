import { describe, expect, it } from 'vitest';
import { transferSettings } from '../../src/catalog/transfer-settings.ts';
import { resolution, transferInput, transferOutput } from '../../src/catalog/transfers.ts';
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

  // A code for tests, a currency that is no more, one that never was, and gold, which has no minor unit.
  it.each(['eur', 'EURO', 'E1R', '', 'XTS', 'DEM', 'ZZZ', 'XAU'])('refuses the currency %j', (currency) => {
    const { error } = transferInput.safeParse({ ...transfer, amount: { currency, minor: '1250' } });
    expect(refusedAt({ error })).toEqual(['amount.currency']);
    expect(error?.issues[0]?.message).toBe('must be the ISO 4217 code of a currency in use, such as EUR');
  });

  it.each(['EUR', 'JPY', 'KWD', 'XCG', 'ZWG'])('takes the currency %s', (currency) => {
    expect(refusedAt(transferInput.safeParse({ ...transfer, amount: { currency, minor: '1250' } }))).toEqual([]);
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

describe('the result of a transfer', () => {
  it('may be about a currency that is no more', () => {
    const result = { outcome: 'completed', transferId: 't-1', amount: { currency: 'DEM', minor: '1250' } };
    expect(transferOutput.safeParse(result).success).toBe(true);
  });
});

describe('the approval limits', () => {
  const limitsOf = (text: string) => transferSettings.safeParse({ approvalLimits: text }).data?.approvalLimits;

  it('are one for each currency', () => {
    expect(limitsOf('EUR:1000000, JPY:0')).toEqual(
      new Map([
        ['EUR', 1_000_000n],
        ['JPY', 0n],
      ]),
    );
  });

  it.each([
    '1000000',
    'EUR',
    'EUR:',
    'EUR:-1',
    'EUR:1.5',
    'eur:1',
    'ZZZ:1',
    'EUR:1,EUR:2',
    'EUR=1',
    ',',
    'EUR:1;JPY:2',
  ])('are refused as %j', (text) => {
    const { error } = transferSettings.safeParse({ approvalLimits: text });
    expect(error?.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining('must be a list such as EUR:1000000,JPY:1500000'),
    ]);
  });

  it('are there without a setting, for some currencies', () => {
    const { approvalLimits } = transferSettings.parse({});
    expect([approvalLimits.get('EUR'), approvalLimits.get('KWD')]).toEqual([1_000_000n, undefined]);
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
