import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { migrateDatabase } from '../../src/commands/migrate.ts';
import { operations, permissionsOf } from '../../src/operations/index.ts';
import { silentLogger } from '../../test/harness/silent-logger.ts';
import { startJwksServer } from '../../test/servers/jwks.ts';
import { startPostgres, withClient } from '../../test/servers/postgres.ts';
import { bundleFile } from '../method/build.ts';

const [issuer, audience] = ['https://issuer.example', 'portico'];

export type Deployment = Awaited<ReturnType<typeof openDeployment>>;

/**
 * What the processes of the service share: a PostgreSQL of its own whose owner and whose user are two roles, an issuer's
 * RS256 key, and settings as in production. Limits stay on, above what a benchmark asks for.
 */
export async function openDeployment() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'));
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const publicKeyFile = join(folder, 'issuer.pem');
  const cursorSecretFile = join(folder, 'cursor-secret');
  writeFileSync(publicKeyFile, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(cursorSecretFile, randomBytes(48).toString('base64'));
  const cluster = await startPostgres();
  await withClient(cluster.urlOf('postgres'), async (client) => {
    await client.query('create role portico_owner login');
    await client.query('create role portico_program login');
    await client.query('create database portico owner portico_owner');
  });
  const databaseUrl = cluster.urlOf('portico', 'portico_program');
  await migrateDatabase({
    url: databaseUrl,
    ownerUrl: cluster.urlOf('portico', 'portico_owner'),
    logger: silentLogger,
  });

  const settings = {
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    LOG_LEVEL: 'info',
    DATABASE_URL: databaseUrl,
    PORTICO_WORKFLOW_BUNDLE: bundleFile,
    PORTICO_CURSOR_SECRET_FILE: cursorSecretFile,
    PORTICO_JWT_ISSUER: issuer,
    PORTICO_JWT_AUDIENCE: audience,
    PORTICO_RATE_LIMIT_ADDRESS: '100000',
    PORTICO_RATE_LIMIT_REFUSALS: '100000',
    PORTICO_RATE_LIMIT_STARTS: '100000',
    PORTICO_RATE_LIMIT_READS: '100000',
    PORTICO_RATE_LIMIT_ACTIONS: '100000',
    PORTICO_RATE_LIMIT_LISTS: '100000',
    PORTICO_VISIBILITY_LIMIT: '10000',
    PORTICO_DRAIN_DELAY: '0s',
  };
  const keySet = await startJwksServer();
  keySet.keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256' }];

  return {
    folder,
    publicKeyFile,
    databaseUrl,
    environment: { ...settings, PORTICO_JWT_PUBLIC_KEY_FILE: publicKeyFile },
    /** The same with the issuer's key from a URL. */
    environmentWithKeySet: { ...settings, PORTICO_JWT_JWKS_URL: keySet.url, PORTICO_JWT_ALGORITHMS: 'RS256' },
    /** A token that may do everything, as an issuer would sign it. */
    tokenFor: (tenant: string): Promise<string> =>
      new SignJWT({ tenant, permissions: [...permissionsOf(operations)] })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'bench' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject('bench')
        .setIssuedAt()
        .setExpirationTime('2h')
        .sign(privateKey),
    async close(): Promise<void> {
      await keySet.close();
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
