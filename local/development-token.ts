import { SignJWT } from 'jose';
import { developmentAudience, developmentIssuer, developmentKey } from './development-key.ts';

export interface TokenContent {
  readonly subject: string;
  readonly tenant: string;
  readonly permissions: readonly string[];
  /** In seconds; the service accepts no token that lives longer than a day. */
  readonly lifetimeSeconds: number;
}

/** A token that a Portico accepts whose `npm start` provides the development key of this state folder, and no other. */
export async function signDevelopmentToken(stateDir: string, content: TokenContent): Promise<string> {
  const { subject, tenant, permissions, lifetimeSeconds } = content;
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ tenant, permissions })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(developmentIssuer)
    .setAudience(developmentAudience)
    .setSubject(subject)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetimeSeconds)
    .sign(developmentKey(stateDir));
}
