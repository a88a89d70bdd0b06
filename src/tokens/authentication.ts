import fastifyJwt from '@fastify/jwt';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Algorithm } from '../config/key-algorithms.ts';
import { faultOfJson } from '../json-text.ts';
import { Problem } from '../problems.ts';
import { maxSkew, type Principal, verifiedOf } from './claims.ts';
import { fieldsNamed } from './header-fields.ts';
import { createPrincipalCache, type PrincipalCacheOptions } from './principal-cache.ts';
import { isSignedBy } from './signature.ts';
import type { VerificationKeys } from './verification-keys.ts';

export type { Principal } from './claims.ts';

export interface AuthenticationOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Nothing else is looked at, and nothing in a token widens it. */
  readonly algorithms: readonly Algorithm[];
  readonly keys: VerificationKeys;
  /** The tenant of a token that names none. Undefined: such a token is refused. */
  readonly defaultTenant: string | undefined;
  /** Every permission that some route declares. */
  readonly permissions: readonly string[];
  /** How long tokens that were verified are remembered, and how many. */
  readonly cache?: PrincipalCacheOptions;
}

/**
 * Prepares the app to verify tokens. Gives the function that says who makes a request, at once for a token that was
 * verified lately. That function throws `unauthenticated` with the challenge of RFC 6750, or `keys-unavailable`, and never says why a token was refused.
 */
export async function createAuthentication(
  app: FastifyInstance,
  options: AuthenticationOptions,
): Promise<(request: FastifyRequest) => Principal | Promise<Principal>> {
  const { issuer, audience, algorithms, keys, defaultTenant } = options;
  // The verifier skips an issuer or audience that is empty, and takes any algorithm if the list is.
  if (issuer === '' || audience === '' || algorithms.length === 0) throw new Error('authentication is not configured');
  const permissions = new Set(options.permissions);
  const decoded = decodedSchemaFor(algorithms);
  const { header: headerSchema } = decoded.shape;

  await app.register(fastifyJwt, {
    secret: async (_request: FastifyRequest, token: unknown) => {
      const { header, payload } = decoded.parse(token);
      return await keys.keyFor({ alg: header.alg, kid: header.kid, issuedAt: payload.iat });
    },
    decode: { complete: true },
    verify: {
      algorithms: [...algorithms],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ['iss', 'aud', 'sub', 'iat', 'exp'],
      clockTolerance: maxSkew * 1_000,
      cache: false,
      extractToken: tokenOf,
    },
  });

  const cache = createPrincipalCache(options.cache);

  async function verify(request: FastifyRequest, token: string): Promise<Principal> {
    if (!compactForm.test(token)) throw refusal();
    // Before the token is verified: keys that come meanwhile may not be those that verified it.
    const current = keys.current();
    await refuseForged(token, headerSchema, keys);
    const payload = await request.jwtVerify<object>().catch((error: unknown) => {
      throw error instanceof Problem ? error : refusal(error);
    });
    // After the signature, so that only the issuer can make Portico look for it.
    if (isAmbiguous(token)) throw refusal();
    const verified = verifiedOf(payload, { defaultTenant, permissions, nowMs: Date.now() });
    if (verified === undefined) throw refusal();
    if (current !== undefined) cache.remember(token, current, verified);
    return verified.principal;
  }

  return (request) => {
    const token = tokenOf(request);
    const current = keys.current();
    const known = current === undefined ? undefined : cache.find(token, current);
    return known ?? verify(request, token);
  };
}

/** Throws `forbidden` unless the token grants the permission. Nobody has one that is not named. */
export function requirePermission(principal: Principal | undefined, permission = ''): void {
  if (principal?.permissions.has(permission)) return;
  throw new Problem('forbidden', {
    headers: { 'WWW-Authenticate': `${challenge}, error="insufficient_scope", scope="${permission}"` },
  });
}

/** The challenge without an error code: what a request without credentials gets. */
export const challenge = 'Bearer realm="portico"';

/** In characters. What a stranger sends is decoded before its signature is known to be false, so it is short. */
const maxTokenLength = 4_096;
const bearer = /^bearer +/i;
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * The one token of the request, in whatever form it is. In the address it would end in other people's logs, so there it is
 * refused.
 */
function tokenOf({ raw, query }: FastifyRequest): string {
  const [authorization, ...others] = fieldsNamed(raw, 'authorization');
  if (authorization === undefined) {
    throw new Problem('unauthenticated', { headers: { 'WWW-Authenticate': challenge } });
  }
  const isInAddress = typeof query === 'object' && query !== null && 'access_token' in query;
  const [scheme] = bearer.exec(authorization) ?? [];
  if (others.length > 0 || isInAddress || scheme === undefined) throw refusal();
  if (authorization.length > scheme.length + maxTokenLength) throw refusal();
  return authorization.slice(scheme.length);
}

/**
 * Throws for a token that its key did not sign, before more of it is read than its header: strangers send such tokens, and
 * the plugin, which reads everything first, is dear. It verifies the signature of the others again.
 */
async function refuseForged(
  token: string,
  schema: ReturnType<typeof decodedSchemaFor>['shape']['header'],
  keys: VerificationKeys,
): Promise<void> {
  const [header, payload] = token.split('.', 2);
  const { data } = schema.safeParse(jsonOf(header));
  if (data === undefined) throw refusal();
  const question = {
    alg: data.alg,
    kid: data.kid,
    get issuedAt() {
      return issueTime.safeParse(jsonOf(payload)).data?.iat;
    },
  };
  const key = await keys.keyFor(question).catch((error: unknown) => {
    throw error instanceof Problem ? error : refusal(error);
  });
  if (!isSignedBy(key, data.alg, token)) throw refusal();
}

function jsonOf(part = ''): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// As long as a token is, it has fewer.
const noLimits = { depth: maxTokenLength, members: maxTokenLength, values: maxTokenLength };

/** Whether readers may disagree on what a token says: it is no UTF-8, or no JSON as RFC 7493 asks for. */
const isAmbiguous = (token: string): boolean =>
  token.split('.', 2).some((part) => {
    try {
      const text = decoder.decode(Buffer.from(part, 'base64url'));
      JSON.parse(text);
      return faultOfJson(text, noLimits) !== undefined;
    } catch {
      return true;
    }
  });

const issueTime = z.object({ iat: z.number().optional().catch(undefined) });

/** What counts before the signature; `crit` would demand an extension, and Portico knows none. */
const decodedSchemaFor = (algorithms: readonly Algorithm[]) =>
  z.object({
    header: z.object({
      alg: z.enum([...algorithms]),
      kid: z.string().max(256).optional(),
      typ: z
        .string()
        .regex(/^(application\/)?(at\+)?jwt$/i)
        .optional(),
      crit: z.never().optional(),
    }),
    payload: issueTime,
  });

const refusal = (cause?: unknown): Problem =>
  new Problem('unauthenticated', {
    headers: { 'WWW-Authenticate': `${challenge}, error="invalid_token"` },
    cause,
  });
