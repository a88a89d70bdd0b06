import { once } from 'node:events';
import { createSecureServer, type SecureServerOptions } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { methods } from '../../src/orchestration/methods.ts';
import type { ServerSettings } from '../../src/orchestration/server-settings.ts';
import { createCertificates } from '../servers/certificates.ts';
import { respond } from '../servers/http2-server.ts';

const { ca, server: certificate, client } = createCertificates('temporal.test');
const stranger = createCertificates('temporal.test');
const trusting = { serverRootCACertificate: ca, serverNameOverride: 'temporal.test' };
const serving = Buffer.from([8, 1]);

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** An encrypted server that says it serves, and keeps the headers it was asked with. */
async function serve(options: SecureServerOptions = {}) {
  const asked: Record<string, unknown>[] = [];
  const server = createSecureServer({ ...certificate, ...options });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    asked.push(headers);
    stream.on('error', () => undefined).resume();
    respond(stream, serving);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  releases.push(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** What comes of one question over a connection with these settings. */
async function ask(settings: ServerSettings): Promise<unknown> {
  const { connection, health, close } = createConnection({ settings, namespace: 'ours', observe: () => undefined });
  health.stop();
  releases.push(close);
  return connection.call(methods.checkHealth, {}, { deadlineMs: 5_000 }).then(
    ({ status }) => status,
    (error: unknown) => error,
  );
}

describe('an encrypted connection', () => {
  it('is made to a server that can be trusted, and says who asks for what', async () => {
    const { address, asked } = await serve();
    expect(
      await ask({ address, tls: trusting, apiKey: 'k-1', metadata: { 'X-Route': 'a', 'blob-bin': Buffer.of(255) } }),
    ).toBe(1);
    expect(asked[0]).toMatchObject({
      ':scheme': 'https',
      ':authority': 'temporal.test',
      authorization: 'Bearer k-1',
      'client-name': 'temporal-typescript',
      'client-version': expect.stringMatching(/^1\./),
      'temporal-namespace': 'ours',
      'x-route': 'a',
      'blob-bin': '/w==',
    });
  });

  it.each<[string, ServerSettings['tls']]>([
    ['whose authority is unknown', { serverNameOverride: 'temporal.test' }],
    ['of another authority', { ...trusting, serverRootCACertificate: stranger.ca }],
    ['of another name', { ...trusting, serverNameOverride: 'other.test' }],
    ['without that name', { serverRootCACertificate: ca }],
  ])('is not made to a server %s', async (_name, tls) => {
    const { address, asked } = await serve();
    expect(await ask({ address, ...(tls === undefined ? {} : { tls }) })).toMatchObject({ code: 14 });
    expect(asked).toEqual([]);
  });

  it('shows its own certificate to a server that wants one', async () => {
    const { address } = await serve({ ca, requestCert: true, rejectUnauthorized: true });
    expect(await ask({ address, tls: trusting })).toMatchObject({ code: 14 });
    const clientCertPair = { crt: client.cert, key: client.key };
    expect(await ask({ address, tls: { ...trusting, clientCertPair } })).toBe(1);
  });

  it('is not made to a server that does not speak HTTP/2', async () => {
    const server = createServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, (socket) => socket.end());
    server.on('tlsClientError', () => undefined);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    releases.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    expect(await ask({ address: `127.0.0.1:${port}`, tls: trusting })).toMatchObject({ code: 14 });
  });
});

it('an API key and a header of the same meaning exclude each other', () => {
  const settings = { address: '127.0.0.1:1', apiKey: 'k', metadata: { Authorization: 'Bearer other' } };
  expect(() => createConnection({ settings, observe: () => undefined })).toThrow('exclude each other');
});
