import type { Attempt } from '../attempt.ts';
import type { Endpoints } from './endpoints.ts';
import type { posterOf, Reply } from './post.ts';
import { retryAfterMsOf } from './retry-after.ts';
import { headersOf } from './signatures.ts';
import { judgeUrl, type UrlRules } from './urls.ts';

/** Where a webhook goes. `endpoint` and `secretId` are ids of endpoints of the same tenant; the latter lends its secrets. */
export type WebhookTarget =
  { readonly url: string; readonly secretId?: string | undefined } | { readonly endpoint: string };

export interface Message {
  readonly tenant: string;
  /** The same in every attempt to deliver it: visible ASCII without a dot. */
  readonly id: string;
  readonly target: WebhookTarget;
  /** JSON, sent as it is. */
  readonly body: string;
  /** How long the attempt may take in all; the settings may allow less. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Asks for a place, which the attempt leaves at its end, once its receiver is known: scheme, host and port. Undefined
   * where there is none now.
   */
  readonly enter: (receiver: string, signal: AbortSignal) => Promise<{ leave(): void } | undefined>;
}

interface Inner {
  readonly endpoints: Endpoints;
  readonly rules: UrlRules;
  readonly post: ReturnType<typeof posterOf>;
  readonly onGone: (() => void) | undefined;
  /** In milliseconds. */
  readonly timeoutMax: number;
}

/** What Standard Webhooks advises. */
const longestBodyBytes = 20_480;

const failed = (reason: string): Attempt => ({ kind: 'failed', reason });
const dead = (reason: string): Attempt => ({ kind: 'dead', reason });

/** Makes one attempt, and keeps with its endpoint how it ended. Undefined where there was no place for it. */
export async function attemptTo(message: Message, inner: Inner): Promise<Attempt | undefined> {
  const { tenant, target } = message;
  if ('url' in target) {
    if (target.secretId === undefined) return deliver({ message, url: target.url, secrets: [], inner });
    const lender = await inner.endpoints.readForSending({ tenant, endpointId: target.secretId });
    if (lender === undefined) return failed('endpoint-unknown');
    if (lender.secrets === undefined) return failed('secret-unreadable');
    return deliver({ message, url: target.url, secrets: lender.secrets, inner });
  }
  const key = { tenant, endpointId: target.endpoint };
  const read = await inner.endpoints.readForSending(key);
  if (read === undefined) return failed('endpoint-unknown');
  if (read.state === 'disabled') return failed('endpoint-disabled');
  if (read.secrets === undefined) return failed('secret-unreadable');
  const attempt = await deliver({ message, url: read.url, secrets: read.secrets, inner });
  if (attempt === undefined) return undefined;
  // What is kept is for people: an attempt ends as it ended, whether or not the database is there.
  await inner.endpoints
    .recordAttempt(key, attempt.kind === 'delivered' ? { status: attempt.status } : attempt)
    .catch(() => undefined);
  if (attempt.kind !== 'dead' || attempt.reason !== 'gone') return attempt;
  // Without the database the next attempt is answered 410 again.
  if (await inner.endpoints.disableGone(key, read).catch(() => false)) inner.onGone?.();
  return { ...attempt, kind: 'failed' };
}

interface Delivery {
  readonly message: Message;
  readonly url: string;
  /** None for a message that is not signed. */
  readonly secrets: readonly string[];
  readonly inner: Inner;
}

/** One attempt with one time limit, over everything: the wait for a place, names, connection, answer. */
async function deliver({ message, url: text, secrets, inner }: Delivery): Promise<Attempt | undefined> {
  const body = Buffer.from(message.body);
  if (body.length > longestBodyBytes) return dead('payload-too-large');
  const judged = judgeUrl(text, inner.rules);
  if (judged.kind !== 'allowed') return dead('address-not-allowed');
  const { url, port } = judged;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), Math.min(message.timeoutMs, inner.timeoutMax));
  const signal = message.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, message.signal]);
  try {
    const place = await message.enter(`${url.protocol}//${url.hostname}:${port}`, signal);
    if (place === undefined) {
      message.signal?.throwIfAborted();
      return undefined;
    }
    try {
      const signed = headersOf({ id: message.id, sentAt: new Date(), body, secrets });
      return attemptOf(await inner.post({ url, headers: { ...usualHeaders, ...signed }, body, signal }));
    } finally {
      place.leave();
    }
  } catch (error) {
    message.signal?.throwIfAborted();
    if (limit.signal.aborted) return failed('timeout');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const usualHeaders = { 'content-type': 'application/json', 'user-agent': 'Portico' };

function attemptOf(reply: Reply): Attempt {
  if ('failure' in reply) {
    return reply.failure === 'address-not-allowed' ? dead(reply.failure) : failed(reply.failure);
  }
  const { status } = reply;
  if (status >= 200 && status < 300) return { kind: 'delivered', status };
  if (status === 410) return { kind: 'dead', reason: 'gone', status };
  if (status >= 300 && status < 400) return { kind: 'failed', reason: 'redirect', status };
  const retryAfterMs = retryAfterMsOf(status, reply.retryAfter, new Date());
  return { kind: 'failed', reason: 'status', status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
