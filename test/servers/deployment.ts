import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { developmentKeyEnvironment } from '../../local/development-key.ts';
import { signDevelopmentToken } from '../../local/development-token.ts';
import { catalog } from '../../src/catalog/index.ts';
import { operationsWith, permissionsOf } from '../../src/operations/index.ts';
import { type MoneyReport, reportOf } from '../harness/money-report.ts';
import { checkAgainstOpenApi } from '../harness/openapi.ts';
import type { Reply } from '../harness/portico.ts';
import { startPostgres, withClient } from './postgres.ts';

export type Deployment = Awaited<ReturnType<typeof createDeployment>>;

/** Secrets of tokens and cursors in files below `folder`, and the settings that name them. */
export function createSecrets(folder: string) {
  const keys = join(folder, 'keys');
  const cursorSecret = join(folder, 'cursor-secret');
  writeFileSync(cursorSecret, randomBytes(48).toString('base64'));
  return {
    /** The folder whose key signs the tokens that are accepted. */
    keys,
    environment: {
      ...developmentKeyEnvironment(keys),
      PORTICO_CURSOR_SECRET_FILE: cursorSecret,
    },
  };
}

/**
 * What a deployment outside embedded mode shares: a real PostgreSQL in which the owner of the schema and the role of the
 * program are two, and the secrets of tokens and cursors in files.
 */
export async function createDeployment() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-deployment-'));
  const secrets = createSecrets(folder);
  const cluster = await startPostgres();
  await withClient(cluster.urlOf('postgres'), async (client) => {
    await client.query('create role portico_owner login');
    await client.query('create role portico_program login');
    await client.query('create database portico owner portico_owner');
  });
  const auditorUrl = cluster.urlOf('portico');

  return {
    cluster,
    /** The folder whose key signs the tokens that are accepted. */
    keys: secrets.keys,
    /** A folder for whatever belongs to it. */
    folder,
    environment: {
      PORT: '0',
      ADMIN_PORT: '0',
      DATABASE_URL: cluster.urlOf('portico', 'portico_program'),
      DATABASE_OWNER_URL: cluster.urlOf('portico', 'portico_owner'),
      ...secrets.environment,
      // Callers, proxies and servers share the machine.
      PORTICO_MAX_EVENT_LOOP_DELAY: '0s',
      PORTICO_MAX_EVENT_LOOP_UTILIZATION: '0',
    },
    /** Runs `work` as the superuser, by a connection that nothing of Portico has touched. */
    asAuditor: <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => withClient(auditorUrl, work),
    report: (tenant: string): Promise<MoneyReport> => withClient(auditorUrl, (client) => reportOf(client, tenant)),
    async close(): Promise<void> {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly subject?: string;
}

export type Caller = ReturnType<typeof createCaller>;

/** Calls Portico processes, wherever they are, as people of one tenant; each exchange is held against openapi.yaml. */
export function createCaller({ keys, tenant }: { keys: string; tenant: string }) {
  const permissions = [...permissionsOf(operationsWith(catalog))];
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (subject: string): Promise<string> => {
    const known =
      tokens.get(subject) ?? signDevelopmentToken(keys, { subject, tenant, permissions, lifetimeSeconds: 3_600 });
    tokens.set(subject, known);
    return known;
  };

  /** Rejects where no answer came: the connection was refused or cut. */
  async function send(url: string, method: string, path: string, given: CallOptions = {}): Promise<Reply> {
    const { body: requestBody, headers = {}, subject = 'alice' } = given;
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        authorization: `Bearer ${await tokenOf(subject)}`,
        ...(requestBody === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(requestBody === undefined ? {} : { body: JSON.stringify(requestBody) }),
    });
    const text = await response.text();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const { status } = response;
    const contentType = response.headers.get('content-type') ?? '';
    const [pathname = ''] = path.split('?');
    checkAgainstOpenApi({ method, path: pathname, requestBody, status, contentType, headers: response.headers, body });
    return { status, headers: response.headers, body };
  }

  return {
    tenant,
    tokenOf,
    send,
    get: (url: string, path: string, given?: CallOptions) => send(url, 'GET', path, given),
    post: (url: string, path: string, body: unknown, given?: CallOptions) =>
      send(url, 'POST', path, { ...given, body }),
    /** Opens accounts with a million euros each. */
    async openAccounts(url: string, ...ids: string[]): Promise<void> {
      const body = { currency: 'EUR', openingBalance: { minor: '100000000' } };
      for (const id of ids) {
        const { status } = await send(url, 'PUT', `/v1/accounts/${id}`, { body });
        if (status > 201) throw new Error(`the account ${id} was not opened: ${status}`);
      }
    },
  };
}

/** The body of a transfer between accounts `payer` and `payee`. */
export const transferOf = (transferId: string, minor = '100', from = 'payer', to = 'payee') => ({
  transferId,
  from,
  to,
  amount: { currency: 'EUR', minor },
});
