import { z } from 'zod';
import type { Actor } from '../definition/envelope.ts';

/** Permissions that nobody can add to. */
export interface Permissions extends Iterable<string> {
  readonly has: (permission: string) => boolean;
}

/** Who makes a request, as a verified token says it. Nothing of it can be changed: requests with one token share it. */
export interface Principal {
  /** Two people are the same only if both parts are. */
  readonly actor: Actor;
  readonly tenant: string;
  /** Those of Portico's permissions that the token grants. */
  readonly permissions: Permissions;
}

/** A principal, and the times between which its token counts: milliseconds of the epoch, both included. */
export interface Verified {
  readonly principal: Principal;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** In seconds. */
const maxLifetime = 86_400;

/** How far the clocks of issuer and Portico may differ, in seconds. */
export const maxSkew = 60;

const subject = z.string().regex(/^[^\p{Cc}\p{Surrogate}]{1,255}$/u);
const tenant = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/);

// Issuer, audience and times against the clock are verified before; here is what the verifier leaves open.
const claims = z
  .object({
    iss: z.string().min(1),
    sub: subject,
    iat: z.int(),
    exp: z.int(),
    // The verifier has seen to it. What is no usable number lets a token count from its issue on.
    nbf: z.number().optional().catch(undefined),
    tenant: tenant.optional(),
    permissions: z.array(z.string()).optional(),
    scope: z.string().optional(),
  })
  .refine(({ iat, exp }) => exp > iat && exp - iat <= maxLifetime);

/**
 * Whom verified claims stand for, and how long; undefined if they are not what Portico accepts. `permissions` counts
 * before `scope`; what is in neither closed set, such as the scopes of other services, is ignored.
 */
export function verifiedOf(
  payload: unknown,
  options: { defaultTenant: string | undefined; permissions: ReadonlySet<string>; nowMs: number },
): Verified | undefined {
  const { data } = claims.safeParse(payload);
  if (data === undefined || data.iat > options.nowMs / 1_000 + maxSkew) return undefined;
  const tenantId = data.tenant ?? options.defaultTenant;
  if (tenantId === undefined) return undefined;
  const granted = data.permissions ?? data.scope?.split(' ') ?? [];
  const principal = Object.freeze({
    actor: Object.freeze({ iss: data.iss, sub: data.sub }),
    tenant: tenantId,
    permissions: frozenSetOf(granted.filter((permission) => options.permissions.has(permission))),
  });
  const fromSeconds = Math.max(data.iat, data.nbf ?? data.iat) - maxSkew;
  return { principal, fromMs: fromSeconds * 1_000, untilMs: (data.exp + maxSkew) * 1_000 };
}

/** `Object.freeze` leaves a `Set` open to `add`. */
function frozenSetOf(members: readonly string[]): Permissions {
  const set = new Set(members);
  return Object.freeze({ has: (member: string) => set.has(member), [Symbol.iterator]: () => set.values() });
}
