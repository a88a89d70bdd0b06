import { contradictionsBetween, contradictionsIn, type Given } from './contradictions.ts';
import { type Algorithm, algorithmsOfPublicKey } from './key-algorithms.ts';
import { parseProcessSettings, type SettingsOf, type SettingsOwner } from './process-settings.ts';
import { type Secret, secretOf } from './secret.ts';
import { type Settings, settings } from './settings.ts';
import { settingsOwners } from './settings-owners.ts';
import { unknownNamesIn } from './unknown-names.ts';

/** Where the keys come from that verify tokens. */
export type JwtKeySource =
  | { readonly kind: 'jwks'; readonly url: string }
  | { readonly kind: 'public-key'; readonly pem: string }
  | { readonly kind: 'secret'; readonly secret: Secret<Buffer> };

/** Which tokens are accepted. */
export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  /** With a JWKS URL any number, the preferred first; otherwise exactly one. */
  readonly algorithms: readonly Algorithm[];
  readonly keys: JwtKeySource;
}

/** Everything the program is told from outside. Frozen; printing it shows no secret. Times are in milliseconds. */
export type Config = ReturnType<typeof configOf>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings are not usable. The message has a line for each that is wrong, and shows no value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** One sentence for each setting that is wrong. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(['The configuration cannot be used:', ...problems.map((problem) => `  ${problem}`)].join('\n'));
    this.problems = problems;
  }
}

/** The environment of this process; nothing else reads it. */
export const readEnvironment = (): Environment => process.env;

/**
 * Reads the settings of Portico, of the processes it serves and of its adapters, and the files that some of them name. An empty value
 * counts as not set. Throws a {@link ConfigError} for everything that is wrong, together.
 */
export function parseConfig(environment: Environment, processes: readonly SettingsOwner[]): Config {
  const given = givenIn(environment);
  const parsed = settings.safeParse(given);
  const ofProcesses = parseProcessSettings([...processes, ...settingsOwners], given);
  const problems = [
    ...(parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? []),
    ...ofProcesses.problems,
    ...unknownNamesIn(given, [...Object.keys(settings.shape), ...ofProcesses.variables]),
    ...contradictionsIn(given),
    ...(parsed.success ? contradictionsBetween(parsed.data) : []),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(configOf(parsed.data, given, ofProcesses.settingsOf));
}

/** The variables that have a value. */
export const givenIn = (environment: Environment): Given =>
  Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );

const configOf = (values: Settings, given: Given, settingsOf: SettingsOf) => ({
  role: values.ROLE,
  logLevel: values.LOG_LEVEL,
  defaultTenant: values.PORTICO_DEFAULT_TENANT,
  http: {
    host: values.HOST,
    port: values.PORT,
    trustProxy: values.PORTICO_TRUST_PROXY ?? [],
    /** Who may read what Portico says about itself. */
    docs: values.PORTICO_DOCS,
    corsOrigins: values.PORTICO_CORS_ORIGINS ?? [],
    /** 0 for no limit. */
    maxConnectionsPerAddress: values.PORTICO_MAX_CONNECTIONS_PER_ADDRESS,
    /** Requests a second; 0 for no limit. */
    rateLimits: {
      address: values.PORTICO_RATE_LIMIT_ADDRESS,
      refusals: values.PORTICO_RATE_LIMIT_REFUSALS,
      start: values.PORTICO_RATE_LIMIT_STARTS,
      action: values.PORTICO_RATE_LIMIT_ACTIONS,
      read: values.PORTICO_RATE_LIMIT_READS,
      list: values.PORTICO_RATE_LIMIT_LISTS,
    },
    /** Above these, requests are shed; 0 for no limit, but for memory 80 % of what the container may use. */
    pressure: {
      maxEventLoopDelayMs: values.PORTICO_MAX_EVENT_LOOP_DELAY,
      maxEventLoopUtilization: values.PORTICO_MAX_EVENT_LOOP_UTILIZATION / 100,
      maxRssBytes: values.PORTICO_MAX_RSS_MB * 1_048_576,
    },
    maxWaitMs: values.PORTICO_MAX_WAIT,
  },
  admin: { host: values.ADMIN_HOST, port: values.ADMIN_PORT },
  /** Undefined in a process without HTTP. */
  jwt: values.ROLE === 'worker' ? undefined : jwtOf(values),
  /** Undefined in a process without HTTP. */
  cursorSecret: values.PORTICO_CURSOR_SECRET_FILE ?? values.PORTICO_CURSOR_SECRET,
  /** The settings that a process, an adapter or a resource declares for itself, by their schema. */
  settingsOf,
  database: {
    url: needed(values.DATABASE_URL),
    poolMax: values.PORTICO_DATABASE_POOL_MAX,
    connectTimeoutMs: values.PORTICO_DATABASE_CONNECT_TIMEOUT,
  },
  temporal: {
    namespace: values.TEMPORAL_NAMESPACE,
    startDeadlineMs: values.PORTICO_START_DEADLINE,
    readDeadlineMs: values.PORTICO_READ_DEADLINE,
    visibilityPerSecond: values.PORTICO_VISIBILITY_LIMIT,
    /** Every `TEMPORAL_` variable that was given, for `@temporalio/envconfig`. */
    environment: temporalEnvironmentOf(given),
  },
  worker: {
    workflowSlots: values.PORTICO_WORKFLOW_SLOTS,
    activitySlots: values.PORTICO_ACTIVITY_SLOTS,
    deliverySlots: values.PORTICO_DELIVERY_SLOTS,
    deliverySlotsPerReceiver: values.PORTICO_DELIVERY_SLOTS_PER_RECEIVER,
    cachedWorkflows: values.PORTICO_CACHED_WORKFLOWS,
    bundlePath: values.PORTICO_WORKFLOW_BUNDLE,
    coreMetricsPort: values.PORTICO_CORE_METRICS_PORT,
  },
  shutdown: {
    drainDelayMs: values.PORTICO_DRAIN_DELAY,
    httpCloseTimeoutMs: values.PORTICO_HTTP_CLOSE_TIMEOUT,
    workerGraceMs: values.PORTICO_WORKER_GRACE,
    workerForceMs: values.PORTICO_WORKER_FORCE,
  },
});

function jwtOf(values: Settings): JwtConfig {
  const keys = keySourceOf(values);
  return {
    issuer: values.PORTICO_JWT_ISSUER ?? '',
    audience: values.PORTICO_JWT_AUDIENCE ?? '',
    algorithms: values.PORTICO_JWT_ALGORITHMS ?? usualAlgorithmsOf(keys),
    keys,
  };
}

function keySourceOf(values: Settings): JwtKeySource {
  const secret = values.PORTICO_JWT_SECRET_FILE ?? values.PORTICO_JWT_SECRET;
  if (secret !== undefined) return { kind: 'secret', secret };
  if (values.PORTICO_JWT_PUBLIC_KEY_FILE !== undefined) {
    return { kind: 'public-key', pem: values.PORTICO_JWT_PUBLIC_KEY_FILE };
  }
  return { kind: 'jwks', url: needed(values.PORTICO_JWT_JWKS_URL) };
}

function usualAlgorithmsOf(keys: JwtKeySource): readonly Algorithm[] {
  switch (keys.kind) {
    case 'jwks':
      return ['RS256', 'ES256', 'EdDSA'];
    case 'public-key':
      return algorithmsOfPublicKey(keys.pem).slice(0, 1);
    case 'secret':
      return ['HS256'];
  }
}

const temporalEnvironmentOf = (given: Given): Secret<Readonly<Record<string, string>>> =>
  secretOf(Object.freeze(Object.fromEntries(Object.entries(given).filter(([name]) => name.startsWith('TEMPORAL_')))));

/** A value that the rules of contradictions.ts ask for: without it no configuration comes into being. */
function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a setting that is needed was not asked for');
  return value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
