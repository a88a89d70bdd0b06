import { algorithmsOfPublicKey, secretBytesFor } from './key-algorithms.ts';
import { nearestName } from './nearest-name.ts';
import type { Settings } from './settings.ts';

/** The variables of the environment that have a value. */
export type Given = Readonly<Record<string, string>>;

/** True if a Temporal server is named from outside, in whichever way Temporal's own tools know. */
export const hasOwnTemporal = (given: Given): boolean =>
  ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].some((name) => given[name] !== undefined);

/** What is wrong with the settings as they were given, one sentence each, whether or not their values are valid. */
export const contradictionsIn = (given: Given): string[] => [
  ...misspeltTemporalNames(given),
  ...missingServices(given),
  ...strangersCredentials(given),
  ...jwtContradictions(given),
  ...cursorContradictions(given),
];

/** What is wrong between values that are valid each for itself. */
export function contradictionsBetween(values: Settings): string[] {
  const problems: string[] = [];
  if (values.PORT === values.ADMIN_PORT && values.PORT !== 0) problems.push('PORT and ADMIN_PORT must differ');
  if (values.PORTICO_WORKER_FORCE <= values.PORTICO_WORKER_GRACE) {
    problems.push('PORTICO_WORKER_FORCE must be longer than PORTICO_WORKER_GRACE');
  }
  return [...problems, ...algorithmContradictions(values)];
}

/** What Temporal's own tools read, of which a misspelt one would be passed over in silence. */
const temporalNames = [
  ...['ADDRESS', 'NAMESPACE', 'API_KEY', 'PROFILE', 'CONFIG_FILE', 'TLS', 'TLS_SERVER_NAME'],
  ...['TLS_CLIENT_CERT_PATH', 'TLS_CLIENT_CERT_DATA', 'TLS_CLIENT_KEY_PATH', 'TLS_CLIENT_KEY_DATA'],
  ...['TLS_SERVER_CA_CERT_PATH', 'TLS_SERVER_CA_CERT_DATA', 'TLS_DISABLE_HOST_VERIFICATION'],
].map((name) => `TEMPORAL_${name}`);

function misspeltTemporalNames(given: Given): string[] {
  return Object.keys(given)
    .filter((name) => name.startsWith('TEMPORAL_') && !temporalNames.includes(name))
    .flatMap((name) => {
      const nearest = nearestName(name, temporalNames, 2);
      return nearest === undefined ? [] : [`${name} means nothing; did you mean ${nearest}?`];
    });
}

function missingServices(given: Given): string[] {
  const missing = [
    ...(hasOwnTemporal(given) ? [] : ['TEMPORAL_ADDRESS']),
    ...(given['DATABASE_URL'] === undefined ? ['DATABASE_URL'] : []),
  ];
  if (missing.length === 0) return [];
  // `npm start` provides services for a process that does everything, and for no other.
  if (given['ROLE'] === 'api' || given['ROLE'] === 'worker') {
    const reason: Readonly<Record<string, string>> = { DATABASE_URL: ': the embedded database serves one process' };
    return missing.map((name) => `${name} is needed when ROLE is api or worker${reason[name] ?? ''}`);
  }
  return [`Set ${missing.join(' and ')}. On a machine of your own, \`npm start\` provides both.`];
}

/** Whoever takes over a process that serves must not find the right to change the ledger's past there. */
const strangersCredentials = (given: Given): string[] =>
  given['DATABASE_OWNER_URL'] === undefined
    ? []
    : ['DATABASE_OWNER_URL belongs to the migrate command alone: take it away from a process that serves'];

const keySettings = [
  'PORTICO_JWT_JWKS_URL',
  'PORTICO_JWT_PUBLIC_KEY_FILE',
  'PORTICO_JWT_SECRET_FILE',
  'PORTICO_JWT_SECRET',
] as const;

function jwtContradictions(given: Given): string[] {
  const sources = keySettings.filter((name) => given[name] !== undefined);
  if (sources.length > 1) return [`${sources.join(' and ')} exclude each other: keep one`];
  const others = ['PORTICO_JWT_ISSUER', 'PORTICO_JWT_AUDIENCE'].filter((name) => given[name] === undefined);
  if (sources.length === 1) return others.map((name) => `${name} is needed beside ${sources.join()}`);
  if (Object.keys(given).some((name) => name.startsWith('PORTICO_JWT_'))) {
    return [`one of ${keySettings.join(', ')} is needed beside the other PORTICO_JWT_ settings`];
  }
  if (given['ROLE'] === 'worker') return [];
  return [`PORTICO_JWT_ISSUER, PORTICO_JWT_AUDIENCE and one of ${keySettings.join(', ')} are needed: ${development}`];
}

const development = 'the development key exists only where `npm start` provides both Temporal and the database';

function cursorContradictions(given: Given): string[] {
  const cursor = ['PORTICO_CURSOR_SECRET_FILE', 'PORTICO_CURSOR_SECRET'].filter((name) => given[name] !== undefined);
  if (cursor.length > 1) return [`${cursor.join(' and ')} exclude each other: keep one`];
  if (cursor.length === 1 || given['ROLE'] === 'worker') return [];
  return ['PORTICO_CURSOR_SECRET_FILE or PORTICO_CURSOR_SECRET is needed'];
}

function algorithmContradictions(values: Settings): string[] {
  const { PORTICO_JWT_ALGORITHMS: chosen, PORTICO_JWT_PUBLIC_KEY_FILE: pem } = values;
  const secret = values.PORTICO_JWT_SECRET_FILE ?? values.PORTICO_JWT_SECRET;
  if (chosen === undefined) return [];
  const areSecret = chosen.filter((algorithm) => algorithm.startsWith('HS'));
  if (secret !== undefined) {
    const [only, ...rest] = areSecret;
    if (only === undefined || rest.length > 0 || chosen.length > 1) {
      return ['PORTICO_JWT_ALGORITHMS must be one of HS256, HS384, HS512 beside a secret'];
    }
    const bytes = secretBytesFor(only);
    return secret.reveal().length >= bytes ? [] : [`PORTICO_JWT_ALGORITHMS ${only} needs a secret of ${bytes} bytes`];
  }
  if (areSecret.length > 0) return ['PORTICO_JWT_ALGORITHMS must have no HS algorithm beside public keys'];
  if (pem === undefined) return [];
  const usable = algorithmsOfPublicKey(pem);
  const fits = chosen.length === 1 && chosen.every((algorithm) => usable.includes(algorithm));
  return fits ? [] : [`PORTICO_JWT_ALGORITHMS must be one of ${usable.join(', ')} for this public key`];
}
