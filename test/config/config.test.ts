import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { planFor } from '../../local/plan.ts';
import { describeLocalSettings } from '../../local/settings.ts';
import { renderEnvExample } from '../../scripts/env-example.ts';
import { catalog } from '../../src/catalog/index.ts';
import { transferSettings } from '../../src/catalog/transfer-settings.ts';
import { describeAllSettings } from '../../src/config/all-settings.ts';
import { type Config, type Environment, parseConfig as parseConfigFor } from '../../src/config/config.ts';
import { parseMigrationConfig } from '../../src/config/migration-config.ts';
import type { SettingDescription } from '../../src/config/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const outside = {
  TEMPORAL_ADDRESS: 'temporal:7233',
  DATABASE_URL: 'postgres://portico:hunter2-database@db/portico',
  PORTICO_JWT_ISSUER: 'https://issuer.example',
  PORTICO_JWT_AUDIENCE: 'portico',
  PORTICO_JWT_SECRET: 'canary-secret-canary-secret-canary-secret',
  PORTICO_CURSOR_SECRET: 'canary-cursor-canary-cursor-canary-cursor',
};

const parseConfig = (environment: Environment) => parseConfigFor(environment, catalog);

const jsonOf = (config: Config): string =>
  JSON.stringify(config, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

const problemsOf = (environment: Record<string, string | undefined>): string => {
  try {
    parseConfig(environment);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('where only what is needed is given', () => {
  const config = parseConfig(outside);

  it('all else has a default', () => {
    expect(config).toMatchObject({
      role: 'all',
      http: { host: '127.0.0.1', port: 8080, maxWaitMs: 25_000 },
      admin: { host: '127.0.0.1', port: 9090 },
      jwt: { issuer: 'https://issuer.example', audience: 'portico', algorithms: ['HS256'], keys: { kind: 'secret' } },
      database: { poolMax: 10, connectTimeoutMs: 2_000 },
      temporal: { namespace: 'default' },
      shutdown: { drainDelayMs: 5_000 },
    });
  });

  it('is frozen to the bottom', () => {
    expect(Object.isFrozen(config.http.rateLimits)).toBe(true);
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
  });

  it('counts empty values as not given', () => {
    expect(jsonOf(parseConfig({ ...outside, PORT: '', DATABASE_OWNER_URL: '' }))).toBe(jsonOf(config));
    expect(problemsOf({ ...outside, DATABASE_URL: '' })).toContain('Set DATABASE_URL.');
  });
});

describe('a mistake', () => {
  it('is reported together with every other', () => {
    const message = problemsOf({
      ...outside,
      PORTICO_JWT_SECRET: '',
      PORT: 'eighty',
      LOG_LEVEL: 'loud',
      PORTICO_TRANSFERS_APPROVAL_TIMEOUT: '72',
      PORTICO_TRUST_PROXY: '10.0.0.0/8, everyone',
      PORTICO_DEFAULT_TENENT: 'acme',
    });
    expect(message.split('\n')).toEqual([
      'The configuration cannot be used:',
      '  PORT must be a whole number from 0 to 65535',
      '  LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent',
      '  PORTICO_TRUST_PROXY must be a list of addresses or CIDR blocks such as 10.0.0.0/8',
      '  PORTICO_TRANSFERS_APPROVAL_TIMEOUT must be a duration from 1s to 365d, such as 500ms, 15s, 30m or 72h',
      '  PORTICO_DEFAULT_TENENT is no setting of Portico; did you mean PORTICO_DEFAULT_TENANT?',
      expect.stringMatching(/^ {2}one of PORTICO_JWT_JWKS_URL, .* is needed beside the other PORTICO_JWT_ settings$/),
    ]);
  });

  it('in a secret never shows the secret', () => {
    const message = problemsOf({
      ...outside,
      DATABASE_URL: 'mysql://root:hunter2@db/portico',
      PORTICO_JWT_SECRET: 'too-short-canary',
    });
    expect(message).toContain('DATABASE_URL must be a URL such as postgres://');
    expect(message).toContain('PORTICO_JWT_SECRET must be a secret of at least 32 bytes');
    expect(message).not.toMatch(/hunter2|canary/);
  });

  it.each([
    ['an unlike name', { PORTICO_XYZZY_PLUGH: '1' }, 'PORTICO_XYZZY_PLUGH is no setting of Portico'],
    ['a port out of range', { PORT: '65536' }, 'PORT must be a whole number'],
    ['a negative number', { PORTICO_DATABASE_POOL_MAX: '-1' }, 'PORTICO_DATABASE_POOL_MAX must be'],
    [
      'a wait beyond what connections survive',
      { PORTICO_MAX_WAIT: '26s' },
      'PORTICO_MAX_WAIT must be a duration from 0s',
    ],
    ['two listeners on one port', { PORT: '8080', ADMIN_PORT: '8080' }, 'PORT and ADMIN_PORT must differ'],
    ['force before grace', { PORTICO_WORKER_GRACE: '30s' }, 'PORTICO_WORKER_FORCE must be longer'],
    ['a tenant that is a path', { PORTICO_DEFAULT_TENANT: '..' }, 'PORTICO_DEFAULT_TENANT must be 1 to 64'],
    ['a CIDR with too many bits', { PORTICO_TRUST_PROXY: '10.0.0.0/33' }, 'PORTICO_TRUST_PROXY must be'],
    [
      'a JWKS URL in clear',
      { ...outside, PORTICO_JWT_JWKS_URL: 'http://idp.example/k' },
      'PORTICO_JWT_JWKS_URL must be',
    ],
    ['two key sources', { ...outside, PORTICO_JWT_JWKS_URL: 'https://idp.example/k' }, 'exclude each other'],
    ['a key without audience', { ...outside, PORTICO_JWT_AUDIENCE: '' }, 'PORTICO_JWT_AUDIENCE is needed beside'],
    ['an outside server without keys', { TEMPORAL_ADDRESS: 'temporal:7233' }, 'the development key exists only where'],
    [
      'an outside database without keys',
      { DATABASE_URL: outside.DATABASE_URL },
      'the development key exists only where',
    ],
    ['an outside profile without keys', { TEMPORAL_PROFILE: 'cloud' }, 'the development key exists only where'],
    [
      'an outside server without cursor secret',
      { ...outside, PORTICO_CURSOR_SECRET: '' },
      'PORTICO_CURSOR_SECRET_FILE or',
    ],
    [
      'two cursor secrets',
      { ...outside, PORTICO_CURSOR_SECRET_FILE: '/x' },
      'PORTICO_CURSOR_SECRET exclude each other',
    ],
    ['no services', {}, 'Set TEMPORAL_ADDRESS and DATABASE_URL. On a machine of your own, `npm start` provides both.'],
    ['no database', { ...outside, DATABASE_URL: '' }, 'Set DATABASE_URL. On a machine of your own'],
    ['no keys for HTTP', { ROLE: 'api' }, 'PORTICO_JWT_ISSUER, PORTICO_JWT_AUDIENCE and one of'],
    [
      'what npm start alone reads',
      { ...outside, PORTICO_STATE_DIR: 's' },
      'PORTICO_STATE_DIR is no setting of Portico',
    ],
    [
      "the owner's credentials",
      { ...outside, DATABASE_OWNER_URL: 'postgres://o@h/p' },
      'DATABASE_OWNER_URL belongs to the migrate command alone',
    ],
    ['a lone worker', { ROLE: 'worker' }, 'DATABASE_URL is needed when ROLE is api or worker'],
    ['a lone api', { ROLE: 'api' }, 'TEMPORAL_ADDRESS is needed when ROLE is api or worker'],
    [
      'an unreadable file',
      { ...outside, PORTICO_JWT_SECRET: '', PORTICO_JWT_SECRET_FILE: '/nowhere' },
      'must be the path of a readable file',
    ],
    [
      'HS beside public keys',
      {
        ...outside,
        PORTICO_JWT_SECRET: '',
        PORTICO_JWT_JWKS_URL: 'https://idp.example/k',
        PORTICO_JWT_ALGORITHMS: 'RS256,HS256',
      },
      'no HS algorithm beside public keys',
    ],
    ['RS beside a secret', { ...outside, PORTICO_JWT_ALGORITHMS: 'RS256' }, 'must be one of HS256, HS384, HS512'],
    [
      'two algorithms for one secret',
      { ...outside, PORTICO_JWT_ALGORITHMS: 'HS256 HS384' },
      'must be one of HS256, HS384, HS512',
    ],
    [
      'a secret shorter than its digest',
      { ...outside, PORTICO_JWT_ALGORITHMS: 'HS512' },
      'HS512 needs a secret of 64 bytes',
    ],
    [
      'none as algorithm',
      { ...outside, PORTICO_JWT_ALGORITHMS: 'none' },
      'PORTICO_JWT_ALGORITHMS must be one or more of RS256',
    ],
  ])('such as %s is refused', (_name, environment, expected) => {
    expect(problemsOf(environment)).toContain(expected);
  });
});

describe('values', () => {
  it.each([
    ['15s', 15_000],
    ['30m', 1_800_000],
    ['72h', 259_200_000],
    ['2d', 172_800_000],
  ])('reads the duration %s', (text, expected) => {
    const { settingsOf } = parseConfig({ ...outside, PORTICO_TRANSFERS_APPROVAL_TIMEOUT: text });
    expect(settingsOf(transferSettings).approvalTimeout).toBe(expected);
  });

  it('reads a duration in milliseconds', () => {
    expect(parseConfig({ ...outside, PORTICO_READ_DEADLINE: '500ms' }).temporal.readDeadlineMs).toBe(500);
  });

  it('reads a secret from a file without the line break at its end', () => {
    const path = fileWith('secret', 'file-secret-file-secret-file-secret\n');
    const { jwt } = parseConfig({ ...outside, PORTICO_JWT_SECRET: '', PORTICO_JWT_SECRET_FILE: path });
    expect(jwt?.keys.kind === 'secret' && jwt.keys.secret.reveal().toString()).toBe(
      'file-secret-file-secret-file-secret',
    );
  });

  it.each([
    ['rsa', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }), 'ES384'],
    ['Ed25519', () => generateKeyPairSync('ed25519'), 'EdDSA'],
  ])('takes the algorithm of a %s key from the key', (name, generate, expected) => {
    const { publicKey } = generate();
    const path = fileWith(`${name}.pem`, publicKey.export({ type: 'spki', format: 'pem' }));
    const { jwt } = parseConfig({ ...outside, PORTICO_JWT_SECRET: '', PORTICO_JWT_PUBLIC_KEY_FILE: path });
    expect(jwt?.algorithms).toEqual([expected]);
  });

  it.each([
    ['a private key', () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })],
    [
      'a short RSA key',
      () => generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }),
    ],
    [
      'another curve',
      () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'pem' }),
    ],
    ['no key at all', () => 'hello'],
  ])('refuses %s as public key', (name, generate) => {
    const path = fileWith(`${name}.pem`, generate());
    const environment = { ...outside, PORTICO_JWT_SECRET: '', PORTICO_JWT_PUBLIC_KEY_FILE: path };
    expect(problemsOf(environment)).toContain('PORTICO_JWT_PUBLIC_KEY_FILE must be the path of a PEM file');
  });

  it('hands every TEMPORAL_ variable on, and no other', () => {
    const { temporal } = parseConfig({ ...outside, TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'true', HOME: '/h' });
    expect(temporal.environment.reveal()).toEqual({
      TEMPORAL_ADDRESS: 'temporal:7233',
      TEMPORAL_API_KEY: 'k',
      TEMPORAL_TLS: 'true',
    });
  });

  it('asks no token settings of a worker', () => {
    const { TEMPORAL_ADDRESS, DATABASE_URL } = outside;
    expect(parseConfig({ ROLE: 'worker', TEMPORAL_ADDRESS, DATABASE_URL }).jwt).toBeUndefined();
  });

  it('shows no secret when printed', () => {
    const config = parseConfig({ ...outside, TEMPORAL_API_KEY: 'canary-api-key' });
    for (const text of [
      jsonOf(config),
      inspect(config, { depth: null, showHidden: true }),
      String(config.cursorSecret),
    ]) {
      expect(text).not.toMatch(/canary|hunter2/);
      expect(text).toContain('[secret]');
    }
  });
});

describe('a setting of Temporal', () => {
  it('that is misspelt by a letter or two is named, and others are left alone', () => {
    expect(() => parseConfig({ ...outside, TEMPORAL_ADRESS: 'x:1' })).toThrow(
      'TEMPORAL_ADRESS means nothing; did you mean TEMPORAL_ADDRESS?',
    );
    // Kubernetes gives such to every pod beside a service called temporal.
    const injected = {
      TEMPORAL_PORT: 'tcp://10.0.0.1:7233',
      TEMPORAL_SERVICE_HOST: '10.0.0.1',
      TEMPORAL_PORT_7233_TCP: 'x',
    };
    expect(() => parseConfig({ ...outside, ...injected })).not.toThrow();
  });

  it.each(['TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'])('%s stands for an address', (name) => {
    expect(() => parseConfig({ ...outside, TEMPORAL_ADDRESS: '', [name]: 'x' })).not.toThrow();
  });
});

describe('the settings of the migrate command', () => {
  const DATABASE_URL = 'postgres://program@h/p';

  it('are the two URLs, which may be one, beside those of a process that serves', () => {
    const serving = { ...outside, DATABASE_URL, PORTICO_ANYTHING: '1' };
    const both = parseMigrationConfig({ ...serving, DATABASE_OWNER_URL: 'postgres://owner@h/p' });
    expect([both.url.reveal(), both.ownerUrl.reveal()]).toEqual([DATABASE_URL, 'postgres://owner@h/p']);
    expect(parseMigrationConfig(serving).ownerUrl.reveal()).toBe(DATABASE_URL);
  });

  it.each([
    ['no database', {}, 'Set DATABASE_URL'],
    ['an owner alone', { DATABASE_OWNER_URL: DATABASE_URL }, 'Set DATABASE_URL'],
    ['a URL that is none', { DATABASE_URL, DATABASE_OWNER_URL: 'secret' }, 'DATABASE_OWNER_URL must be'],
  ])('are refused with %s', (_, given, expected) => {
    expect(() => parseMigrationConfig(given)).toThrow(expected);
  });
});

describe('.env.example', () => {
  it('is current', () => {
    expect(readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')).toBe(renderEnvExample());
  });

  it('gives every setting a meaning and defaults that are accepted', () => {
    const [ofPortico, ofStart] = [describeAllSettings(catalog), describeLocalSettings()];
    expect([...ofPortico, ...ofStart].every(({ meaning }) => meaning.endsWith('.'))).toBe(true);
    const defaultsOf = (described: readonly SettingDescription[]) =>
      Object.fromEntries(described.flatMap(({ name, fallback }) => (fallback === undefined ? [] : [[name, fallback]])));
    expect(jsonOf(parseConfig({ ...outside, ...defaultsOf(ofPortico) }))).toBe(jsonOf(parseConfig(outside)));
    expect(planFor(defaultsOf(ofStart), catalog).settings).toEqual(planFor({}, catalog).settings);
  });
});
