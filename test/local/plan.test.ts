import { describe, expect, it } from 'vitest';
import { givenDatabaseOf } from '../../local/migrate-given.ts';
import { missingIn, planFor } from '../../local/plan.ts';
import { catalog } from '../../src/catalog/index.ts';

const key = {
  PORTICO_JWT_ISSUER: 'https://issuer.example',
  PORTICO_JWT_AUDIENCE: 'portico',
  PORTICO_JWT_SECRET: 'a secret that is long enough for a test',
};
const cursor = { PORTICO_CURSOR_SECRET: 'another secret that is long enough' };
const endpointKeys = `a=${'A'.repeat(43)}`;
const DATABASE_URL = 'postgres://portico@db.example/portico';
const TEMPORAL_ADDRESS = 'temporal.example:7233';

const problemsOf = (environment: Record<string, string>): string => {
  try {
    planFor(environment, catalog);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('what is missing', () => {
  const all = { temporal: true, database: true, developmentKey: true, cursorSecret: true, endpointKeys: true };
  const none = { temporal: false, database: false, developmentKey: false, cursorSecret: false, endpointKeys: false };

  it.each([
    ['everything, where nothing is given', {}, all],
    ['the database, beside a server', { TEMPORAL_ADDRESS }, { ...none, database: true, endpointKeys: true }],
    ['the database, beside a profile', { TEMPORAL_PROFILE: 'cloud' }, { ...none, database: true, endpointKeys: true }],
    [
      'the database, beside a file of settings',
      { TEMPORAL_CONFIG_FILE: '/x.toml' },
      { ...none, database: true, endpointKeys: true },
    ],
    ['the server, beside a database', { DATABASE_URL }, { ...none, temporal: true }],
    ['no key, beside any setting of tokens', { PORTICO_JWT_ALGORITHMS: 'HS256' }, { ...all, developmentKey: false }],
    ['no cursor secret, beside one', cursor, { ...all, cursorSecret: false }],
    ['no keys of endpoints, beside some', { PORTICO_ENDPOINTS_KEYS: endpointKeys }, { ...all, endpointKeys: false }],
    ['nothing, for a process of one role', { ROLE: 'worker' }, none],
    ['nothing, for the other role', { ROLE: 'api' }, none],
  ])('is %s', (_, given, expected) => {
    expect(missingIn(given)).toEqual(expected);
  });
});

describe('the plan', () => {
  it('keeps the settings of npm start from Portico, and sets what suits a laptop unless told otherwise', () => {
    const given = { PORTICO_STATE_DIR: '/s', TEMPORAL_DEV_PORT: '7300', TEMPORAL_CLI_PATH: '/t', PORT: '8081' };
    expect(planFor(given, catalog)).toMatchObject({
      settings: { PORTICO_STATE_DIR: '/s', TEMPORAL_DEV_PORT: 7_300, TEMPORAL_CLI_PATH: '/t' },
      config: { http: { port: 8_081 }, shutdown: { drainDelayMs: 0 }, database: { connectTimeoutMs: 5_000 } },
    });
    expect(planFor(given, catalog).environment).toEqual({
      PORT: '8081',
      PORTICO_DOCS: 'public',
      PORTICO_DRAIN_DELAY: '0s',
      PORTICO_MAX_EVENT_LOOP_DELAY: '0s',
      PORTICO_DATABASE_CONNECT_TIMEOUT: '5s',
      PORTICO_WEBHOOKS_SCHEMES: 'https,http',
      PORTICO_WEBHOOKS_PORTS: '1-65535',
      PORTICO_WEBHOOKS_ALLOW_CIDRS: expect.stringContaining('127.0.0.0/8,') as string,
    });
    expect(planFor({ TEMPORAL_ADDRESS: '', DATABASE_URL: '', ROLE: '' }, catalog).missing).toEqual(
      planFor({}, catalog).missing,
    );
    expect(planFor({ PORTICO_DRAIN_DELAY: '3s' }, catalog).config.shutdown.drainDelayMs).toBe(3_000);
    expect(planFor({ ...key, ...cursor, DATABASE_URL }, catalog).environment).toEqual({
      ...key,
      ...cursor,
      DATABASE_URL,
      PORTICO_DOCS: 'public',
    });
  });

  it.each([
    ['PORTICO_STATE_DIRR', 'PORTICO_STATE_DIR'],
    ['PORTICO_DRAIN_DELAI', 'PORTICO_DRAIN_DELAY'],
    ['TEMPORAL_DEV_PROT', 'TEMPORAL_DEV_PORT'],
    ['TEMPORAL_CLI_PAHT', 'TEMPORAL_CLI_PATH'],
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
  ])('names %s once, and what was meant', (name, meant) => {
    const lines = problemsOf({ [name]: 'x' }).split('\n');
    expect(lines.filter((line) => line.includes(name))).toEqual([
      expect.stringMatching(new RegExp(`did you mean ${meant}\\?$`)),
    ]);
  });

  it.each([
    ['a port that is none', { TEMPORAL_DEV_PORT: '65000' }, 'TEMPORAL_DEV_PORT must be a whole number'],
    ['a namespace of no server', { TEMPORAL_NAMESPACE: 'money' }, 'TEMPORAL_NAMESPACE has a meaning beside TEMPORAL_A'],
    ['an API key for no server', { TEMPORAL_API_KEY: 'k' }, 'TEMPORAL_API_KEY has a meaning beside TEMPORAL_ADDRESS'],
    ['TLS for no server', { TEMPORAL_TLS: 'true' }, 'TEMPORAL_TLS has a meaning beside TEMPORAL_ADDRESS only'],
    ['an owner of no database', { DATABASE_OWNER_URL: DATABASE_URL }, 'DATABASE_OWNER_URL has a meaning beside'],
    ['half a key', { PORTICO_JWT_ISSUER: 'us' }, 'is needed beside the other PORTICO_JWT_ settings'],
    ['an outside server without keys', { TEMPORAL_ADDRESS }, 'the development key exists only where'],
    ['an outside profile without keys', { TEMPORAL_PROFILE: 'cloud' }, 'the development key exists only where'],
    ['an outside database without keys', { DATABASE_URL }, 'the development key exists only where'],
    ['an outside server without cursor secret', { ...key, TEMPORAL_ADDRESS }, 'PORTICO_CURSOR_SECRET_FILE or'],
    ['a lone worker', { ROLE: 'worker' }, 'DATABASE_URL is needed when ROLE is api or worker'],
    ['a lone api', { ROLE: 'api' }, 'TEMPORAL_ADDRESS is needed when ROLE is api or worker'],
  ])('refuses %s', (_, given, expected) => {
    expect(problemsOf(given)).toContain(expected);
  });

  it('keeps the credentials of the owner from Portico, and migrates with them', () => {
    const own = { ...key, ...cursor, TEMPORAL_ADDRESS, DATABASE_URL };
    const DATABASE_OWNER_URL = 'postgres://owner@db.example/portico';
    const plan = planFor({ ...own, ROLE: 'api', DATABASE_OWNER_URL }, catalog);
    expect(plan.environment).not.toHaveProperty('DATABASE_OWNER_URL');
    expect(givenDatabaseOf(plan)?.ownerUrl.reveal()).toBe(DATABASE_OWNER_URL);
    expect(givenDatabaseOf(planFor({ ...own, ROLE: 'api' }, catalog))).toBeUndefined();
    expect(givenDatabaseOf(planFor(own, catalog))?.ownerUrl.reveal()).toBe(DATABASE_URL);
    expect(givenDatabaseOf(planFor({}, catalog))).toBeUndefined();
  });

  it('reports all that is wrong together', () => {
    const lines = problemsOf({ PORT: 'http', TEMPORAL_DEV_PORT: '0', PORTICO_XYZZY: '1' }).split('\n');
    expect(lines).toHaveLength(4);
  });

  it('lets the namespace be the one that the provided server has', () => {
    expect(problemsOf({ TEMPORAL_NAMESPACE: 'default' })).toBe('');
  });
});
