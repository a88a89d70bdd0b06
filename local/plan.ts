import { describeAllSettings } from '../src/config/all-settings.ts';
import { type Config, ConfigError, type Environment, givenIn, parseConfig } from '../src/config/config.ts';
import { type Given, hasOwnTemporal } from '../src/config/contradictions.ts';
import { nearestName } from '../src/config/nearest-name.ts';
import type { SettingsOwner } from '../src/config/process-settings.ts';
import { localNames, type LocalSettings, localSettings } from './settings.ts';

/** What the environment does not give, and `npm start` therefore provides. */
export interface Missing {
  readonly temporal: boolean;
  readonly database: boolean;
  readonly developmentKey: boolean;
  readonly cursorSecret: boolean;
  readonly endpointKeys: boolean;
}

export interface Plan {
  readonly missing: Missing;
  readonly settings: LocalSettings;
  /** All variables that have a value. */
  readonly given: Given;
  /** The variables for Portico itself: those that were given, without what `npm start` alone reads, and its defaults. */
  readonly environment: Given;
  /** What Portico will be told, with placeholders for what is missing. */
  readonly config: Config;
}

/** Decides what to provide. Throws a `ConfigError` for everything that is wrong, before anything is begun. */
export function planFor(environment: Environment, processes: readonly SettingsOwner[]): Plan {
  const given = givenIn(environment);
  const missing = missingIn(given);
  const parsed = localSettings.safeParse(given);
  const misspelt = misspeltNames(given, processes);
  const problems = [
    ...(parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? []),
    ...misspelt.map(({ problem }) => problem),
    ...uselessSettings(given, missing),
  ];
  // `npm start` migrates as the owner. Portico itself refuses the owner's credentials.
  const strange = [...localNames, 'DATABASE_OWNER_URL', ...misspelt.map(({ name }) => name)];
  const ofPortico = Object.fromEntries(Object.entries(given).filter(([name]) => !strange.includes(name)));
  const forPortico = { ...defaultsFor(missing), ...ofPortico };
  try {
    const config = parseConfig({ ...forPortico, ...placeholdersFor(missing) }, processes);
    if (parsed.success && problems.length === 0) {
      return { missing, settings: parsed.data, given, environment: forPortico, config };
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

/**
 * A process of one role shares Temporal and the database with others: nothing is missing that could be provided. The
 * development key lets its holder be anybody, so nothing that comes from outside may trust it.
 */
export function missingIn(given: Given): Missing {
  const isAlone = given['ROLE'] === undefined || given['ROLE'] === 'all';
  const temporal = isAlone && !hasOwnTemporal(given);
  const database = isAlone && given['DATABASE_URL'] === undefined;
  const isAllOurs = temporal && database;
  const isGiven = (prefix: string) => Object.keys(given).some((name) => name.startsWith(prefix));
  return {
    temporal,
    database,
    developmentKey: isAllOurs && !isGiven('PORTICO_JWT_'),
    cursorSecret: isAllOurs && !isGiven('PORTICO_CURSOR_SECRET'),
    // Whatever is sealed lies in the database: its keys stay beside it.
    endpointKeys: database && !isGiven('PORTICO_ENDPOINTS_KEYS'),
  };
}

/** Settings that suit what is provided, unless the environment says otherwise. */
export const defaultsFor = ({ temporal, database }: Missing): Given => ({
  // Whoever runs it here reads it here.
  PORTICO_DOCS: 'public',
  // All work waits for the one connection that the embedded database has.
  ...(database ? { PORTICO_DATABASE_CONNECT_TIMEOUT: '5s', ...localWebhooks } : {}),
  // No balancer sends requests to a laptop, and nobody else there takes what is shed.
  ...(temporal && database ? { PORTICO_DRAIN_DELAY: '0s', PORTICO_MAX_EVENT_LOOP_DELAY: '0s' } : {}),
});

/** Receivers on a laptop have neither certificates nor public addresses. */
const localWebhooks = {
  PORTICO_WEBHOOKS_SCHEMES: 'https,http',
  PORTICO_WEBHOOKS_PORTS: '1-65535',
  PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7',
};

const placeholdersFor = ({ temporal, database, developmentKey, cursorSecret }: Missing): Environment => ({
  ...(temporal ? { TEMPORAL_ADDRESS: '127.0.0.1:7233' } : {}),
  ...(database ? { DATABASE_URL: 'postgres://localhost' } : {}),
  ...(developmentKey
    ? { PORTICO_JWT_ISSUER: 'us', PORTICO_JWT_AUDIENCE: 'us', PORTICO_JWT_SECRET: '*'.repeat(32) }
    : {}),
  ...(cursorSecret ? { PORTICO_CURSOR_SECRET: '*'.repeat(32) } : {}),
});

/** Names that come nearest to one of ours. Portico itself names those that come nearest to one of its own. */
function misspeltNames(given: Given, processes: readonly SettingsOwner[]): { name: string; problem: string }[] {
  const ofPortico = describeAllSettings(processes).map(({ name }) => name);
  const all = [...ofPortico, ...localNames];
  return Object.keys(given)
    .filter((name) => /^(PORTICO|TEMPORAL)_/.test(name) && !all.includes(name))
    .flatMap((name) => {
      const nearest = nearestName(name, all, name.startsWith('TEMPORAL_') ? 2 : undefined);
      if (nearest === undefined || !localNames.includes(nearest)) return [];
      return [{ name, problem: `${name} is no setting of Portico; did you mean ${nearest}?` }];
    });
}

/** Settings of a server or a database that will not be used. */
function uselessSettings(given: Given, missing: Missing): string[] {
  // The server that is provided is plain and has the namespace `default`.
  const ofTemporal = Object.keys(given)
    .filter((name) => /^TEMPORAL_(NAMESPACE|API_KEY|TLS)/.test(name))
    .filter((name) => name !== 'TEMPORAL_NAMESPACE' || given[name] !== 'default');
  return [
    ...(missing.temporal ? ofTemporal.map((name) => `${name} has a meaning beside TEMPORAL_ADDRESS only`) : []),
    ...(missing.database && given['DATABASE_OWNER_URL'] !== undefined
      ? ['DATABASE_OWNER_URL has a meaning beside DATABASE_URL only']
      : []),
  ];
}
