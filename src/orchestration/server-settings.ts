import { createRequire } from 'node:module';
import { createSecureContext, type SecureContext } from 'node:tls';
import { normalizeTlsConfig, splitProtoHostPort } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Target } from './transport/dial.ts';
import type { HeaderList } from './transport/hpack.ts';

const defaultPort = 7233;

const { version: sdkVersion } = createRequire(import.meta.url)('@temporalio/client/package.json') as {
  version: string;
};

export type ServerSettings = ReturnType<typeof loadClientConnectConfig>['connectionOptions'];

/** Throws where the address is none, or where certificates and keys are not PEM that belongs together. */
export function targetOf({ address, tls, apiKey }: ServerSettings): Target {
  const parts = splitProtoHostPort(address ?? 'localhost');
  if (parts === undefined || parts.scheme !== undefined) throw new TypeError('the address of Temporal is no host:port');
  const { hostname: host, port = defaultPort } = parts;
  if (port < 1 || port > 65_535) throw new TypeError(`the address of Temporal has a port that none can have: ${port}`);
  const encryption = normalizeTlsConfig(tls, apiKey);
  if (encryption === undefined) return { host, port };
  return { host, port, tls: { secureContext: contextFor(encryption), serverName: encryption.serverNameOverride } };
}

type Encryption = NonNullable<ReturnType<typeof normalizeTlsConfig>>;

function contextFor({ serverRootCACertificate: ca, clientCertPair: pair }: Encryption): SecureContext {
  // OpenSSL takes an authority that is none for no authority.
  if (ca !== undefined && !Buffer.from(ca).includes('-----BEGIN ')) throw unreadable('it has no authority in PEM');
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
      ...(pair === undefined ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
    });
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : 'no PEM');
  }
}

const unreadable = (why: string) => new TypeError(`the certificates for Temporal cannot be read: ${why}`);

/**
 * What each request says of its sender and its server, as the SDK's own connections do. Throws a TypeError for two ways to
 * say who is asking, and for what no header can carry.
 */
export function headersFor(settings: ServerSettings, { host, port, tls }: Target, namespace?: string): HeaderList {
  const { apiKey, metadata = {} } = settings;
  const own = Object.entries(metadata).map(([name, value]): [string, string] => [
    name.toLowerCase(),
    typeof value === 'string' ? value : Buffer.from(value).toString('base64'),
  ]);
  const isAuthorized = own.some(([name]) => name === 'authorization');
  if (apiKey && isAuthorized) throw new TypeError('an API key and a header `authorization` exclude each other');
  const strange = [...own, ['the API key', apiKey ?? '']].find(([, value = '']) => !/^[\t\x20-\x7e]*$/.test(value));
  if (strange !== undefined) throw new TypeError(`${String(strange[0])} has characters that no header can carry`);
  const authority = tls?.serverName ?? (host.includes(':') ? `[${host}]` : host);
  return [
    [':scheme', tls === undefined ? 'http' : 'https'],
    [':authority', tls?.serverName === undefined ? `${authority}:${port}` : authority],
    ['user-agent', 'portico'],
    ['client-name', 'temporal-typescript'],
    ['client-version', sdkVersion],
    ...(namespace === undefined ? [] : [['temporal-namespace', namespace] as const]),
    ...(apiKey ? [['authorization', `Bearer ${apiKey}`] as const] : []),
    ...own,
  ];
}
