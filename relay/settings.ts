import { accessSync, constants, readFileSync } from 'node:fs';
import { duration, type Kind, kind, oneOf, url, wholeNumber } from './kinds.ts';
import { defaults, type RelayOptions, type RelayTuning } from './options.ts';
import { fixedToken, tokenFromFile, tokenFromOAuth, type TokenSource } from './token.ts';

/** The settings are not usable. The message has a line for each that is wrong, and shows no value. */
export interface SettingsFault {
  readonly problems: readonly string[];
}

export interface RelaySettings {
  readonly relay: RelayOptions & RelayTuning;
  readonly admin: { readonly host: string; readonly port: number };
  readonly logLevel: string;
}

interface Setting<T> {
  readonly kind: Kind<T>;
  /** As it would be written. */
  readonly usual?: string;
  readonly says: string;
}

const setting = <T>(its: Kind<T>, usual: string | undefined, says: string): Setting<T> => ({
  kind: its,
  ...(usual === undefined ? {} : { usual }),
  says,
});

const text = kind('text without line breaks', (given) => (/^[^\r\n]+$/.test(given) ? given : undefined));
const readableFile = kind('the path of a readable file', (path) => {
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    return undefined;
  }
});
const fileContent = kind('the path of a readable file that is not empty', (path) => {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
});
const schemaName = kind('the name of a schema: a-z, 0-9 and _, at most 50', (given) =>
  /^[a-z_][a-z0-9_]{0,49}$/.test(given) ? given : undefined,
);

/** Every setting by the name of its environment variable. An empty value counts as not given. */
export const settings = {
  RELAY_DATABASE_URL: setting(url('postgres', 'postgresql'), undefined, 'The PostgreSQL with the outbox.'),
  RELAY_DATABASE_URL_FILE: setting(fileContent, undefined, 'A file with that URL, where it has a password.'),
  RELAY_SCHEMA: setting(schemaName, 'public', 'The schema of the table `outbox`.'),
  RELAY_PORTICO_URL: setting(url('http', 'https'), undefined, 'Where Portico is. Needed.'),
  RELAY_TOKEN_FILE: setting(readableFile, undefined, 'A file with the token, read for every request.'),
  RELAY_TOKEN: setting(text, undefined, 'The token itself; a file can be renewed.'),
  RELAY_OAUTH_URL: setting(url('https'), undefined, 'The token endpoint, for client credentials.'),
  RELAY_OAUTH_CLIENT_ID: setting(text, undefined, 'The client there.'),
  RELAY_OAUTH_CLIENT_SECRET_FILE: setting(fileContent, undefined, 'A file with the secret of the client.'),
  RELAY_OAUTH_SCOPE: setting(text, undefined, 'The scope to ask for.'),
  RELAY_BATCH: setting(wholeNumber(1, 100), '50', 'Rows of one request at most.'),
  RELAY_LANES: setting(wholeNumber(1, 16), '2', 'Requests at a time, beside one for rows that are sent alone.'),
  RELAY_POLL: setting(duration('100ms', '1m'), '1s', 'How often to look for rows that no notification told of.'),
  RELAY_HTTP_LIMIT: setting(duration('500ms', '25s'), '20s', 'How long an answer may take.'),
  RELAY_LEASE: setting(
    duration('2500ms', '30s'),
    '30s',
    'How long a claim holds: two seconds longer than RELAY_HTTP_LIMIT at least.',
  ),
  RELAY_LONGEST_RETRY: setting(
    duration('1s', '1h'),
    '1m',
    'The longest wait before a row is tried again, unless an answer asks for more.',
  ),
  RELAY_LONGEST_PROBE: setting(
    duration('50ms', '5m'),
    '10s',
    'The longest wait between probes, while Portico is away or the relay is paused.',
  ),
  RELAY_MAX_STARTS: setting(
    wholeNumber(1, 100),
    '3',
    'Claims of a row in a row that no relay came to the end of, after which it is dead.',
  ),
  RELAY_DEAD_LETTERS: setting(
    oneOf('pass', 'block'),
    'pass',
    'Whether later rows of a key pass a dead one, or wait until it is replayed or discarded.',
  ),
  RELAY_KEEP_DONE: setting(duration('0s', '3650d'), '7d', 'How long rows are kept that are done; 0s for ever.'),
  RELAY_KEEP_DEAD: setting(
    duration('0s', '3650d'),
    '14d',
    'How long dead rows are kept; 0s for ever, as always with RELAY_DEAD_LETTERS=block.',
  ),
  RELAY_STOP_LIMIT: setting(duration('4s', '5m'), '15s', 'How long the relay may take to stop.'),
  RELAY_ADMIN_HOST: setting(text, '127.0.0.1', 'The address of /livez, /readyz and /metrics.'),
  RELAY_ADMIN_PORT: setting(
    wholeNumber(0, 65_535),
    '9092',
    'The port of /livez, /readyz and /metrics; 0 takes a free one.',
  ),
  RELAY_LOG_LEVEL: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'The least severe line that is logged.',
  ),
} satisfies Record<string, Setting<unknown>>;

type Values = {
  readonly [Name in keyof typeof settings]?: NonNullable<ReturnType<(typeof settings)[Name]['kind']['parse']>>;
};
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads all settings, or says everything that is wrong with them. `isAlone` is for commands that call no Portico. */
export function parseSettings(
  environment: Environment,
  { isAlone = false }: { isAlone?: boolean } = {},
): RelaySettings | SettingsFault {
  const { values, problems } = valuesIn(environment);
  const found = [...problems, ...contradictionsIn(environment, values, isAlone)];
  return found.length > 0 ? { problems: found } : settingsOf(values);
}

function valuesIn(environment: Environment): { values: Values; problems: string[] } {
  const given = Object.entries(environment).filter(([name, value]) => name.startsWith('RELAY_') && value !== '');
  const problems = given.filter(([name]) => !(name in settings)).map(([name]) => `${name} is no setting of the relay`);
  const values = Object.entries<Setting<unknown>>(settings).flatMap(([name, { kind: its, usual }]) => {
    const written = environment[name] === '' ? undefined : environment[name];
    const chosen = written ?? usual;
    if (chosen === undefined) return [];
    const value = its.parse(chosen);
    if (value === undefined) problems.push(`${name} must be ${its.must}`);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { values: Object.fromEntries(values), problems };
}

function contradictionsIn(environment: Environment, values: Values, isAlone: boolean): string[] {
  // What is there and wrong has been named, and is not missing.
  const has = (name: keyof Values) => (environment[name] ?? '') !== '';
  const sources = (['RELAY_TOKEN_FILE', 'RELAY_TOKEN', 'RELAY_OAUTH_URL'] as const).filter(has);
  const isOAuth = has('RELAY_OAUTH_URL');
  const rules: (readonly [isBroken: boolean, problem: string])[] = [
    [
      has('RELAY_DATABASE_URL') === has('RELAY_DATABASE_URL_FILE'),
      'RELAY_DATABASE_URL or RELAY_DATABASE_URL_FILE is needed, and not both',
    ],
    [!isAlone && !has('RELAY_PORTICO_URL'), 'RELAY_PORTICO_URL is needed'],
    [
      !isAlone && sources.length !== 1,
      'one of RELAY_TOKEN_FILE, RELAY_TOKEN and RELAY_OAUTH_URL is needed, and not several',
    ],
    [
      isOAuth && !(has('RELAY_OAUTH_CLIENT_ID') && has('RELAY_OAUTH_CLIENT_SECRET_FILE')),
      'RELAY_OAUTH_URL needs RELAY_OAUTH_CLIENT_ID and RELAY_OAUTH_CLIENT_SECRET_FILE',
    ],
    [
      (values.RELAY_LEASE ?? Number.POSITIVE_INFINITY) < (values.RELAY_HTTP_LIMIT ?? 0) + 2_000,
      'RELAY_LEASE must be two seconds longer than RELAY_HTTP_LIMIT',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}

function settingsOf(values: Values): RelaySettings {
  const of = <Name extends keyof Values>(name: Name): NonNullable<Values[Name]> => {
    const value = values[name];
    if (value === undefined) throw new Error(`${name} was not asked for`);
    return value;
  };
  return {
    relay: {
      database: { url: values.RELAY_DATABASE_URL ?? of('RELAY_DATABASE_URL_FILE'), schema: of('RELAY_SCHEMA') },
      portico: { url: values.RELAY_PORTICO_URL ?? '', token: tokenOf(values) },
      batch: of('RELAY_BATCH'),
      lanes: of('RELAY_LANES'),
      pollMs: of('RELAY_POLL'),
      httpLimitMs: of('RELAY_HTTP_LIMIT'),
      leaseMs: of('RELAY_LEASE'),
      longestMs: of('RELAY_LONGEST_RETRY'),
      shortestProbeMs: Math.min(defaults.shortestProbeMs, of('RELAY_LONGEST_PROBE')),
      longestProbeMs: of('RELAY_LONGEST_PROBE'),
      maxStarts: of('RELAY_MAX_STARTS'),
      deadLetters: of('RELAY_DEAD_LETTERS'),
      keepDoneMs: of('RELAY_KEEP_DONE'),
      keepDeadMs: of('RELAY_KEEP_DEAD'),
      stopLimitMs: of('RELAY_STOP_LIMIT'),
    },
    admin: { host: of('RELAY_ADMIN_HOST'), port: of('RELAY_ADMIN_PORT') },
    logLevel: of('RELAY_LOG_LEVEL'),
  };
}

function tokenOf(values: Values): TokenSource {
  const { RELAY_TOKEN_FILE: path, RELAY_TOKEN: token, RELAY_OAUTH_URL: endpoint } = values;
  if (path !== undefined) return tokenFromFile(path);
  if (endpoint === undefined) return fixedToken(token ?? '');
  return tokenFromOAuth({
    url: endpoint,
    clientId: values.RELAY_OAUTH_CLIENT_ID ?? '',
    clientSecret: values.RELAY_OAUTH_CLIENT_SECRET_FILE ?? '',
    scope: values.RELAY_OAUTH_SCOPE,
  });
}
