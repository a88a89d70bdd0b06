import { z } from 'zod';
import type { Actor } from '../definition/envelope.ts';

/** Who makes a request, as a verified token says it. Frozen, but for the set, which its type protects. */
export interface Principal {
  /** Two people are the same only if both parts are. */
  readonly actor: Actor;
  readonly tenant: string;
  /** Those of Portico's permissions that the token grants. */
  readonly permissions: ReadonlySet<string>;
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
    tenant: tenant.optional(),
    permissions: z.array(z.string()).optional(),
    scope: z.string().optional(),
  })
  .refine(({ iat, exp }) => exp > iat && exp - iat <= maxLifetime);

/**
 * The principal that verified claims stand for; undefined if they are not what Portico accepts. `permissions` counts
 * before `scope`; what is in neither closed set, such as the scopes of other services, is ignored.
 */
export function principalOf(
  payload: unknown,
  options: { defaultTenant: string | undefined; permissions: ReadonlySet<string>; nowMs: number },
): Principal | undefined {
  const { data } = claims.safeParse(payload);
  if (data === undefined || data.iat > options.nowMs / 1_000 + maxSkew) return undefined;
  const tenantId = data.tenant ?? options.defaultTenant;
  if (tenantId === undefined) return undefined;
  const granted = data.permissions ?? data.scope?.split(' ') ?? [];
  return Object.freeze({
    actor: Object.freeze({ iss: data.iss, sub: data.sub }),
    tenant: tenantId,
    permissions: new Set(granted.filter((permission) => options.permissions.has(permission))),
  });
}
