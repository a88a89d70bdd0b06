import { createHmac, randomBytes } from 'node:crypto';

const prefix = 'whsec_';

/** A new secret as Standard Webhooks spells it: `whsec_` and the base64 of 32 random bytes. */
export const newSecret = (): string => `${prefix}${randomBytes(32).toString('base64')}`;

interface Signed {
  /** Stable over all attempts to deliver one message; it must not hold a dot. */
  readonly id: string;
  /** Of this attempt. */
  readonly sentAt: Date;
  /** The very bytes that are sent. */
  readonly body: Buffer;
  /** As {@link newSecret} makes them; the newest first. */
  readonly secrets: readonly string[];
}

/** The header fields of Standard Webhooks. Without secrets the message is not signed. */
export function headersOf({ id, sentAt, body, secrets }: Signed): Record<string, string> {
  if (!/^[\x21-\x2d\x2f-\x7e]{1,512}$/.test(id)) throw new Error('the id of a webhook is visible ASCII without a dot');
  const timestamp = Math.floor(sentAt.getTime() / 1_000);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(prefix.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    ...(signatures.length > 0 && { 'webhook-signature': signatures.join(' ') }),
  };
}
