import { z } from 'zod';
import { publicKeyAlgorithms, secretAlgorithms } from './key-algorithms.ts';
import {
  addressBlocks,
  databaseUrl,
  duration,
  oneOf,
  plainText,
  port,
  publicKeyFile,
  secretFile,
  secretText,
  secureUrl,
  someOf,
  wholeNumber,
} from './kinds.ts';
import { origins } from './origins.ts';

const perSecond = wholeNumber(0, 1_000_000);

/** Every setting by the name of its environment variable: what it means, what it accepts, what it is when not given. */
export const settings = z.object({
  ROLE: oneOf('all', 'api', 'worker')
    .prefault('all')
    .describe('What this process does: all, api (HTTP only) or worker.'),
  HOST: plainText
    .prefault('127.0.0.1')
    .describe(
      'The address HTTP listens on. Reachable from this machine only unless told otherwise; the image sets 0.0.0.0.',
    ),
  PORT: port.prefault('8080').describe('The port HTTP listens on; 0 takes a free one.'),
  ADMIN_HOST: plainText
    .prefault('127.0.0.1')
    .describe('The address of /livez, /readyz, /healthz and /metrics; the image sets 0.0.0.0.'),
  ADMIN_PORT: port.prefault('9090').describe('The port of /livez, /readyz, /healthz and /metrics; 0 takes a free one.'),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')
    .prefault('info')
    .describe('The least severe line that is logged.'),

  DATABASE_URL: databaseUrl
    .optional()
    .describe('PostgreSQL, as the role of the program. Needed; `npm start` provides an embedded database.'),
  DATABASE_OWNER_URL: databaseUrl
    .optional()
    .describe(
      'PostgreSQL, as the owner of the schema: for `migrate` and `npm start` alone, a process that serves refuses it. Not set: DATABASE_URL.',
    ),
  PORTICO_DATABASE_POOL_MAX: wholeNumber(1, 1_000)
    .prefault('10')
    .describe('Connections to PostgreSQL at most. The embedded database of `npm start` has one.'),
  PORTICO_DATABASE_CONNECT_TIMEOUT: duration('100ms', '5s')
    .prefault('2s')
    .describe('How long a request waits for a connection to the database. `npm start` sets 5s for the embedded one.'),

  TEMPORAL_ADDRESS: plainText
    .optional()
    .describe(
      "Host and port of the Temporal server. Needed, unless TEMPORAL_PROFILE or TEMPORAL_CONFIG_FILE names one; these, TEMPORAL_TLS and its kind work as in Temporal's own tools. `npm start` provides a server.",
    ),
  TEMPORAL_NAMESPACE: plainText.prefault('default').describe('The namespace on that server.'),
  TEMPORAL_API_KEY: plainText.optional().describe('The API key for that server, as for Temporal Cloud.'),

  PORTICO_JWT_ISSUER: plainText.optional().describe('The `iss` that tokens must have.'),
  PORTICO_JWT_AUDIENCE: plainText.optional().describe('The `aud` that tokens must have, alone or among others.'),
  PORTICO_JWT_JWKS_URL: secureUrl
    .optional()
    .describe(
      'Where the issuer publishes its public keys. A process with HTTP needs one of the four key settings; `npm start` has a key for development.',
    ),
  PORTICO_JWT_PUBLIC_KEY_FILE: publicKeyFile.optional().describe('A PEM file with the one public key of the issuer.'),
  PORTICO_JWT_SECRET_FILE: secretFile
    .optional()
    .describe('A file with the secret shared with the issuer, at least 32 bytes.'),
  PORTICO_JWT_SECRET: secretText.optional().describe('The same secret written here; a file is safer.'),
  PORTICO_JWT_ALGORITHMS: someOf(...publicKeyAlgorithms, ...secretAlgorithms)
    .optional()
    .describe(
      "Accepted signatures. Not set: RS256, ES256, EdDSA with a JWKS URL, the key's own with a file, HS256 with a secret.",
    ),
  PORTICO_DEFAULT_TENANT: z
    .string()
    .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, {
      message: 'must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and neither . nor ..',
    })
    .optional()
    .describe('The tenant of a token without `tenant` claim. Not set: such a token is refused.'),

  PORTICO_CURSOR_SECRET_FILE: secretFile
    .optional()
    .describe(
      'A file with the secret that signs list cursors, at least 32 bytes, the same for every api process, which needs one. `npm start` provides it beside its own database.',
    ),
  PORTICO_CURSOR_SECRET: secretText.optional().describe('The same secret written here; a file is safer.'),

  PORTICO_TRUST_PROXY: addressBlocks
    .optional()
    .describe('Addresses of the proxies whose X-Forwarded-* headers are believed. Not set: none.'),
  PORTICO_DOCS: oneOf('off', 'token', 'public')
    .prefault('off')
    .describe(
      'Who may read the reference at /, /docs, /openapi.json and /openapi.yaml: nobody (off), whoever has a valid token, or everybody (public, as `npm start` sets it). It names every operation and permission.',
    ),
  PORTICO_CORS_ORIGINS: origins
    .optional()
    .describe(
      'Origins whose pages may call Portico from a browser and read its answers (CORS), such as https://app.example.com, separated by commas. Not set: none.',
    ),
  PORTICO_MAX_CONNECTIONS_PER_ADDRESS: wholeNumber(0, 2_000)
    .prefault('500')
    .describe(
      'Open connections from one address at most, of 2,000 in all; 0 for no limit. It does not hold for the proxies of PORTICO_TRUST_PROXY.',
    ),
  PORTICO_RATE_LIMIT_ADDRESS: perSecond
    .prefault('2000')
    .describe(
      'Requests a second from one address before the token is looked at, averaged over ten seconds; 0 for no limit.',
    ),
  PORTICO_RATE_LIMIT_REFUSALS: perSecond
    .prefault('50')
    .describe(
      'Refused tokens a second from one address, averaged over ten seconds; beyond, its requests are answered 429 before the token is looked at. 0 for no limit.',
    ),
  PORTICO_RATE_LIMIT_STARTS: perSecond
    .prefault('500')
    .describe('Starts a second by one subject of one tenant, averaged over ten seconds; 0 for no limit.'),
  PORTICO_RATE_LIMIT_ACTIONS: perSecond.prefault('500').describe('The same for actions on instances.'),
  PORTICO_RATE_LIMIT_READS: perSecond.prefault('1000').describe('The same for reads of one resource.'),
  PORTICO_RATE_LIMIT_LISTS: perSecond
    .prefault('10')
    .describe('The same for lists, which Temporal itself serves sparingly.'),
  PORTICO_VISIBILITY_LIMIT: wholeNumber(0, 10_000)
    .prefault('10')
    .describe(
      "Lists and counts a second that this process asks of Temporal's visibility store, for all tenants, which take turns; 0 for no limit. A server grants a namespace ten unless told otherwise: divide what yours grants by the number of processes.",
    ),
  PORTICO_START_DEADLINE: duration('100ms', '30s')
    .prefault('3s')
    .describe('How long Temporal may take for a start or an action.'),
  PORTICO_READ_DEADLINE: duration('100ms', '30s').prefault('2s').describe('How long Temporal may take for a read.'),
  PORTICO_MAX_WAIT: duration('0s', '25s').prefault('25s').describe('The longest `Prefer: wait` that is honoured.'),
  PORTICO_MAX_EVENT_LOOP_DELAY: duration('0s', '1m')
    .prefault('200ms')
    .describe(
      'Mean delay of the event loop above which reads and lists are shed, and starts above five times as much; 0s for no limit, as `npm start` sets it.',
    ),
  PORTICO_MAX_EVENT_LOOP_UTILIZATION: wholeNumber(0, 100)
    .prefault('0')
    .describe(
      'Percentage of time the event loop may be busy before reads and lists are shed; 0 for no limit, because a busy loop may still answer fast.',
    ),
  PORTICO_MAX_RSS_MB: wholeNumber(0, 1_048_576)
    .prefault('0')
    .describe(
      "Resident memory in MiB above which requests are shed; 0 for 80 % of the container's limit, if it has one.",
    ),

  PORTICO_WORKFLOW_SLOTS: wholeNumber(2, 10_000)
    .prefault('100')
    .describe(
      'Workflow tasks a worker takes at once, for each task queue. Above that they wait in Temporal, and starts are not eager.',
    ),
  PORTICO_ACTIVITY_SLOTS: wholeNumber(1, 10_000)
    .prefault('100')
    .describe('Activities a worker runs at once, for each task queue.'),
  PORTICO_DELIVERY_SLOTS: wholeNumber(2, 10_000)
    .prefault('1000')
    .describe(
      'Attempts to deliver delayed tasks that a worker makes at once. Receivers that hang get half of them at most.',
    ),
  PORTICO_DELIVERY_SLOTS_PER_RECEIVER: wholeNumber(1, 10_000)
    .prefault('100')
    .describe(
      'How many of these go to one receiver at once: one scheme, host and port, or one queue. Tenants take turns.',
    ),
  PORTICO_CACHED_WORKFLOWS: wholeNumber(0, 100_000)
    .prefault('200')
    .describe('Workflows a worker keeps in memory, about 0.3 MiB each, for each task queue.'),
  PORTICO_WORKFLOW_BUNDLE: plainText
    .optional()
    .describe('A workflow bundle built beforehand. Not set: that of the build; from sources it is built at start.'),
  PORTICO_CORE_METRICS_PORT: port
    .prefault('0')
    .describe('The loopback port on which the Temporal SDK offers its metrics to /metrics; 0 takes a free one.'),

  PORTICO_DRAIN_DELAY: duration('0s', '5m')
    .prefault('5s')
    .describe('After SIGTERM, how long requests are still served while /readyz says no. `npm start` sets 0s.'),
  PORTICO_HTTP_CLOSE_TIMEOUT: duration('0s', '5m')
    .prefault('10s')
    .describe('Then, how long requests in flight may take to end.'),
  PORTICO_WORKER_GRACE: duration('0s', '1h')
    .prefault('15s')
    .describe('Then, how long activities may run before they are cancelled.'),
  PORTICO_WORKER_FORCE: duration('1s', '1h')
    .prefault('20s')
    .describe('And after how long workers are stopped although something still runs.'),
});

/** What the settings are once parsed. */
export type Settings = z.output<typeof settings>;

export interface SettingDescription {
  readonly name: string;
  readonly meaning: string;
  /** As one would write it; undefined if there is none. */
  readonly fallback: string | undefined;
}

/** One setting as people read about it. */
export const describeSetting = (name: string, schema: z.ZodType): SettingDescription => ({
  name,
  meaning: schema.description ?? '',
  fallback: schema instanceof z.ZodPrefault ? String(schema.def.defaultValue) : undefined,
});
/** Every setting in the order of the schema, for `.env.example` and the documentation. */
export const describeSettings = (): readonly SettingDescription[] => descriptionsOf(settings.shape);

/** The settings of one schema, in its order. */
export const descriptionsOf = (shape: Readonly<Record<string, z.ZodType>>): readonly SettingDescription[] =>
  Object.entries(shape).map(([name, schema]) => describeSetting(name, schema));
