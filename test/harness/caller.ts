import { SignJWT } from 'jose';
import { developmentAudience, developmentIssuer, developmentKey } from '../../local/development-key.ts';
import { operations, permissionsOf } from '../../src/operations/index.ts';
import { checkAgainstOpenApi } from './openapi.ts';

interface TokenOptions {
  readonly subject?: string;
  readonly tenant?: string;
  /** Default: every permission there is. */
  readonly permissions?: readonly string[];
  /** Replace or add to what a token says, its times included. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface RequestOptions extends TokenOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of a token made from the other options; null for none. */
  readonly token?: string | null;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers whose shape openapi.yaml has vouched for.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

interface CallerOptions {
  /** Signs tokens with HS256. Asked for each token. */
  readonly key: () => Uint8Array;
  readonly issuer: string;
  readonly audience: string;
  /** Of tokens that name no other. */
  readonly tenant: string;
  /** Of tokens that name no others. */
  readonly permissions: readonly string[];
  /** Collections that openapi.yaml does not know: those of tests. */
  readonly unlisted?: readonly string[];
}

export type Caller = ReturnType<typeof createCaller>;
export type Requests = ReturnType<Caller['at']>;

/** Sends requests to Portico processes, wherever they are, and holds each exchange against openapi.yaml. */
export function createCaller({ key, issuer, audience, tenant, permissions, unlisted = [] }: CallerOptions) {
  function tokenFor(given: TokenOptions = {}): Promise<string> {
    const iat = Math.floor(Date.now() / 1_000);
    const usual = { iss: issuer, aud: audience, sub: given.subject ?? 'alice', iat, exp: iat + 3_600 };
    const granted = { tenant: given.tenant ?? tenant, permissions: given.permissions ?? permissions };
    return new SignJWT({ ...usual, ...granted, ...given.claims }).setProtectedHeader({ alg: 'HS256' }).sign(key());
  }

  /** Rejects where no answer came: the connection was refused or cut. */
  async function send(url: string | undefined, method: string, path: string, given: RequestOptions = {}) {
    const token = given.token === undefined ? await tokenFor(given) : given.token;
    const sent = textOf(given.body);
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...given.headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const { status, headers } = response;
    const text = await response.text();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const [pathname = ''] = path.split('?');
    const contentType = headers.get('content-type') ?? '';
    const requestType = given.headers?.['content-type'];
    if (!unlisted.includes(pathname.split('/')[2] ?? '')) {
      checkAgainstOpenApi({
        method,
        path: pathname,
        requestType,
        requestBody: given.body,
        status,
        contentType,
        headers,
        body,
      });
    }
    return { status, headers, body } satisfies Reply as Reply;
  }

  /** Requests to one process; only a worker has no address. */
  const at = (url: string | undefined) => ({
    request: (method: string, path: string, given?: RequestOptions) => send(url, method, path, given),
    get: (path: string, given?: RequestOptions) => send(url, 'GET', path, given),
    post: (path: string, body: unknown, given?: RequestOptions) => send(url, 'POST', path, { ...given, body }),
    put: (path: string, body: unknown, given?: RequestOptions) => send(url, 'PUT', path, { ...given, body }),
    /** Opens accounts with a million euros each. */
    async openAccounts(...ids: string[]): Promise<void> {
      const body = { currency: 'EUR', openingBalance: { minor: '100000000' } };
      for (const { status } of await Promise.all(ids.map((id) => send(url, 'PUT', `/v1/accounts/${id}`, { body })))) {
        if (status > 201) throw new Error(`an account was not opened: ${status}`);
      }
    },
  });

  return { tenant, tokenFor, at };
}

/** A caller whose tokens are signed with the development key of a state folder. */
export const createDevelopmentCaller = ({ stateDir, tenant }: { stateDir: string; tenant: string }) =>
  createCaller({
    key: () => developmentKey(stateDir),
    issuer: developmentIssuer,
    audience: developmentAudience,
    tenant,
    permissions: [...permissionsOf(operations)],
  });

const textOf = (body: unknown): string | undefined =>
  body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
