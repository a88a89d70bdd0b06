import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig } from '../../src/config/config.ts';
import { duration, keyRing, secretText, wholeNumber } from '../../src/config/kinds.ts';
import { describeProcessSettings, type SettingsOwner } from '../../src/config/process-settings.ts';
import { replacedNames } from '../../src/config/unknown-names.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const settings = z
  .object({
    shortestWait: duration('1s', '1h').prefault('1m').describe('The shortest wait.'),
    longestWait: duration('1s', '1h').prefault('5m').describe('The longest wait.'),
    tries: wholeNumber(1, 9).optional().describe('Tries at most.'),
    signingKey: secretText.optional().describe('Signs what is sent.'),
  })
  .refine(({ shortestWait, longestWait }) => shortestWait < longestWait, {
    message: 'have a shortest wait that is not shorter than the longest',
  });
const callbacks: SettingsOwner = { name: 'call-backs', settings };
const prefix = 'PORTICO_CALL_BACKS_';
const key = 'canary-key-canary-key-canary-key-canary-key';

// What Portico itself needs from outside.
const outside = {
  TEMPORAL_ADDRESS: 'temporal.example:7233',
  DATABASE_URL: 'postgres://portico@db.example/portico',
  PORTICO_JWT_ISSUER: 'https://issuer.example',
  PORTICO_JWT_AUDIENCE: 'portico',
  PORTICO_JWT_SECRET: 'a secret of the issuer, for tests alone',
  PORTICO_CURSOR_SECRET: 'a secret for cursors, for tests alone',
};

const parse = (given: Readonly<Record<string, string>>, owners = [callbacks]) => {
  const named = Object.entries(given).map(([name, value]) => [`${prefix}${name}`, value]);
  return parseConfig({ ...outside, ...Object.fromEntries(named) }, owners);
};

describe('the settings of a process', () => {
  it('are read from names that begin with its own, and have defaults', () => {
    const { settingsOf } = parse({ SHORTEST_WAIT: '2s', TRIES: '3', LONGEST_WAIT: '' });
    expect(settingsOf(settings)).toEqual({ shortestWait: 2_000, longestWait: 300_000, tries: 3 });
  });

  it('cannot be changed by those who get them', () => {
    const values = parse({}).settingsOf(settings);
    expect(() => Object.assign(values, { tries: 1 })).toThrow(TypeError);
    expect(parse({}).settingsOf(settings).tries).toBeUndefined();
  });

  it('are one for two versions of a process, and read once', () => {
    const { settingsOf } = parse({ TRIES: '4' }, [callbacks, { ...callbacks }]);
    expect(settingsOf(settings).tries).toBe(4);
    expect(describeProcessSettings([callbacks, { ...callbacks }])).toHaveLength(5);
  });

  it('are not given for a schema that nobody declares', () => {
    expect(() => parse({}).settingsOf(z.object({}))).toThrow('nobody declares these settings');
  });

  it.each([
    ['a value that its kind refuses', { TRIES: 'many' }, `${prefix}TRIES must be a whole number from 1 to 9`],
    ['values that contradict each other', { SHORTEST_WAIT: '5m' }, `the settings ${prefix} have a shortest wait`],
    ['a name that is misspelt', { TRYS: '3' }, `${prefix}TRYS is no setting of Portico; did you mean ${prefix}TRIES?`],
    ['a file for what is no secret', { TRIES_FILE: '/x' }, `${prefix}TRIES_FILE is no setting of Portico`],
  ])('are refused for %s', (_what, given, message) => {
    expect(() => parse(given)).toThrow(message);
  });

  it('are needed where they have no default and are not optional', () => {
    const needed = z.object({ host: z.string(), signingKey: secretText });
    expect(() => parse({}, [{ name: 'call-backs', settings: needed }])).toThrow(
      `${prefix}HOST is needed\n  ${prefix}SIGNING_KEY_FILE or ${prefix}SIGNING_KEY is needed`,
    );
  });
});

describe('a secret of a process', () => {
  const path = join(folder, 'key');
  // A byte that is no text, and one line break that does not belong to the key.
  const bytes = Buffer.concat([Buffer.from(key), Buffer.from([0xff, 0x0a])]);
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('\r\n')]));

  it('is given as text or in a file', () => {
    expect(parse({ SIGNING_KEY: key }).settingsOf(settings).signingKey?.reveal().toString()).toBe(key);
    const { signingKey, tries } = parse({ SIGNING_KEY_FILE: path, TRIES: '2' }).settingsOf(settings);
    expect(signingKey?.reveal().equals(bytes)).toBe(true);
    expect(tries).toBe(2);
  });

  it.each([
    [
      'in both ways',
      { SIGNING_KEY: key, SIGNING_KEY_FILE: path },
      `${prefix}SIGNING_KEY_FILE and ${prefix}SIGNING_KEY exclude each other: keep one`,
    ],
    ['too short', { SIGNING_KEY: 'canary' }, `${prefix}SIGNING_KEY must be a secret of at least 32 bytes`],
    [
      'in a file that is not there',
      { SIGNING_KEY_FILE: '/nowhere' },
      `${prefix}SIGNING_KEY_FILE must be the path of a readable file`,
    ],
  ])('is refused %s, and not shown', (_how, given, message) => {
    expect(() => parse(given)).toThrow(message);
    expect(() => parse(given)).not.toThrow(/canary/);
  });

  it('is redacted where it is printed', () => {
    const values = parse({ SIGNING_KEY: key }).settingsOf(settings);
    for (const text of [inspect(values, { showHidden: true, depth: null }), JSON.stringify(values)]) {
      expect(text).toContain('[secret]');
      expect(text).not.toContain('canary');
    }
  });

  it('is described with its file, and other settings without', () => {
    expect(describeProcessSettings([callbacks]).map(({ name, fallback }) => [name, fallback])).toEqual([
      [`${prefix}SHORTEST_WAIT`, '1m'],
      [`${prefix}LONGEST_WAIT`, '5m'],
      [`${prefix}TRIES`, undefined],
      [`${prefix}SIGNING_KEY_FILE`, undefined],
      [`${prefix}SIGNING_KEY`, undefined],
    ]);
  });
});

it.each(Object.entries(replacedNames))('%s is refused with its new name', (old, replacement) => {
  expect(() => parseConfig({ ...outside, [old]: '1' }, [])).toThrow(`\n  ${old} is now ${replacement}`);
});

describe('a ring of keys', () => {
  const ringed: SettingsOwner = { name: 'call-backs', settings: z.object({ keys: keyRing.optional() }) };
  const bytes = (fill: number) => Buffer.alloc(32, fill);
  const line = (id: string, fill: number) => `${id}=${bytes(fill).toString('base64')}`;
  const ringOf = (given: Readonly<Record<string, string>>) =>
    (parse(given, [ringed]).settingsOf(ringed.settings) as { keys?: z.output<typeof keyRing> }).keys?.reveal();

  it('is given as text or in a file, the first key first', () => {
    const expected = [
      { id: '2026', key: bytes(1) },
      { id: 'old_1', key: bytes(2) },
    ];
    expect(ringOf({ KEYS: `${line('2026', 1)},${line('old_1', 2)}` })).toEqual(expected);
    const path = join(folder, 'ring');
    writeFileSync(path, `${line('2026', 1)}\n${line('old_1', 2)}\n`);
    expect(ringOf({ KEYS_FILE: path })).toEqual(expected);
  });

  it.each([
    ['a key that is too short', `a=${Buffer.alloc(31).toString('base64')}`],
    ['a key that is too long', `a=${Buffer.alloc(33).toString('base64')}`],
    ['no name', bytes(1).toString('base64')],
    ['one name twice', `${line('a', 1)},${line('a', 2)}`],
    ['nothing', ' '],
  ])('is refused with %s, and not shown', (_what, text) => {
    expect(() => ringOf({ KEYS: text })).toThrow(`${prefix}KEYS must be a list such as`);
    expect(() => ringOf({ KEYS: text })).not.toThrow(/AAAA|AQEB/);
  });
});
