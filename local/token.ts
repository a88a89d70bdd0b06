import { parseArgs } from 'node:util';
import { givenIn, readEnvironment } from '../src/config/config.ts';
import { operations, permissionsOf } from '../src/operations/index.ts';
import { signDevelopmentToken, type TokenContent } from './development-token.ts';
import { missingIn } from './plan.ts';
import { localSettings } from './settings.ts';

/**
 * Prints a development token and nothing else:
 * `npm run --silent token -- --subject alice --tenant acme --permissions transfers:start,transfers:read [--ttl 1h]`.
 */
const usage =
  'usage: npm run --silent token -- --subject <name> --tenant <name> --permissions <a,b,…> [--ttl 30m], at most 24h';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

try {
  const given = givenIn(readEnvironment());
  if (!missingIn(given).developmentKey) {
    throw new Error(
      'The development key exists only where `npm start` provides everything: not beside TEMPORAL_ADDRESS, TEMPORAL_PROFILE, ' +
        'TEMPORAL_CONFIG_FILE, DATABASE_URL, a PORTICO_JWT_ setting or a ROLE of one part. Take a token from your issuer.',
    );
  }
  const { PORTICO_STATE_DIR: stateDir } = localSettings.pick({ PORTICO_STATE_DIR: true }).parse(given);
  console.log(await signDevelopmentToken(stateDir, contentOf(process.argv.slice(2))));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function contentOf(args: string[]): TokenContent {
  const { subject, tenant, permissions, ttl } = optionsIn(args);
  const list = permissions?.split(',').filter((permission) => permission !== '') ?? [];
  if (subject === undefined || subject === '' || tenant === undefined || tenant === '' || list.length === 0) {
    throw new Error(usage);
  }
  const known = permissionsOf(operations);
  const unknown = list.filter((permission) => !known.has(permission));
  if (unknown.length > 0) {
    throw new Error(`Unknown: ${unknown.join(', ')}. Permissions are ${[...known].sort().join(', ')}.`);
  }
  return { subject, tenant, permissions: list, lifetimeSeconds: secondsOf(ttl) };
}

function optionsIn(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ args, options: { subject: text, tenant: text, permissions: text, ttl: text } }).values;
  } catch {
    throw new Error(usage);
  }
}

function secondsOf(ttl = '1h'): number {
  const [, digits, unit] = /^([0-9]{1,6})(s|m|h|d)$/.exec(ttl) ?? [];
  const seconds = Number(digits) * (unitSeconds[unit ?? ''] ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= 86_400)) throw new Error(usage);
  return seconds;
}
