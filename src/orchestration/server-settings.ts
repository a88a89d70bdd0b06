import { createRequire } from 'node:module';
import { normalizeTlsConfig, splitProtoHostPort } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Target } from './transport/dial.ts';
import type { HeaderList } from './transport/hpack.ts';

const defaultPort = 7233;

const { version: sdkVersion } = createRequire(import.meta.url)('@temporalio/client/package.json') as {
  version: string;
};

export type ServerSettings = ReturnType<typeof loadClientConnectConfig>['connectionOptions'];

/** Throws where the address is none. */
export function targetOf({ address, tls, apiKey }: ServerSettings): Target {
  const parts = splitProtoHostPort(address ?? 'localhost');
  if (parts === undefined || parts.scheme !== undefined) throw new TypeError('the address of Temporal is no host:port');
  const { serverRootCACertificate: ca, clientCertPair, serverNameOverride } = normalizeTlsConfig(tls, apiKey) ?? {};
  const isEncrypted = normalizeTlsConfig(tls, apiKey) !== undefined;
  return {
    host: parts.hostname,
    port: parts.port ?? defaultPort,
    tls: isEncrypted
      ? {
          ca: bufferOf(ca),
          cert: bufferOf(clientCertPair?.crt),
          key: bufferOf(clientCertPair?.key),
          serverName: serverNameOverride,
        }
      : undefined,
  };
}

const bufferOf = (bytes: Uint8Array | undefined): Buffer | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes);

/**
 * What each request says of its sender and its server, as the SDK's own connections do. Throws a TypeError for two ways to
 * say who is asking.
 */
export function headersFor(settings: ServerSettings, { host, port, tls }: Target, namespace?: string): HeaderList {
  const { apiKey, metadata = {} } = settings;
  const own = Object.entries(metadata).map(([name, value]): [string, string] => [
    name.toLowerCase(),
    typeof value === 'string' ? value : Buffer.from(value).toString('base64'),
  ]);
  const isAuthorized = own.some(([name]) => name === 'authorization');
  if (apiKey && isAuthorized) throw new TypeError('an API key and a header `authorization` exclude each other');
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
