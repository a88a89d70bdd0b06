import { unavailable } from '../../database/failures.ts';
import { unlessAborted, withTimeLimit } from '../../timing/time-limit.ts';
import type { Attempt } from '../attempt.ts';
import type { EndpointKey } from './endpoint-rows.ts';
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
  /** Ends the attempt unless its answer is there. */
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

/** What is kept is for people: nobody waits longer for it. */
const recordMs = 1_000;

/**
 * Makes one attempt, with one time limit over everything: reading the endpoint, the wait for a place, names, connection,
 * answer. Keeping how it ended takes a second more at most, and changes no answer. Undefined where there was no place.
 */
export async function attemptTo(message: Message, inner: Inner): Promise<Attempt | undefined> {
  const { timeoutMs, signal: caller } = message;
  const limitMs = Math.min(timeoutMs, inner.timeoutMax);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), limitMs);
  const signal = caller === undefined ? limit.signal : AbortSignal.any([limit.signal, caller]);
  try {
    const reading = withTimeLimit(destinationOf(message, inner.endpoints), limitMs, databaseIsLate);
    const destination = await unlessAborted(reading, caller);
    if ('kind' in destination) return destination;
    const attempt = await deliver({ message, destination, inner, limitMs, signal }).catch((error: unknown) => {
      caller?.throwIfAborted();
      if (limit.signal.aborted) return failed('timeout');
      throw error;
    });
    const { endpoint } = destination;
    return attempt === undefined || endpoint === undefined ? attempt : await keep(attempt, endpoint, inner);
  } finally {
    clearTimeout(timer);
  }
}

const databaseIsLate = () => unavailable(new Error('the endpoint was not read in the time of the attempt'));

interface Destination {
  readonly url: string;
  /** None for a message that is not signed. */
  readonly secrets: readonly string[];
  /** The endpoint that the message is for, as it was read. */
  readonly endpoint?: { readonly key: EndpointKey; readonly url: string; readonly revision: number };
}

/** Where the message goes, or the attempt that ends because it can go nowhere now. */
async function destinationOf({ tenant, target }: Message, endpoints: Endpoints): Promise<Destination | Attempt> {
  const endpointId = 'url' in target ? target.secretId : target.endpoint;
  if (endpointId === undefined) return { url: 'url' in target ? target.url : '', secrets: [] };
  const key = { tenant, endpointId };
  const read = await endpoints.readForSending(key);
  if (read === undefined) return failed('endpoint-unknown');
  const { url, secrets, state, revision } = read;
  if ('endpoint' in target && state === 'disabled') return failed('endpoint-disabled');
  if (secrets === undefined) return failed('secret-unreadable');
  return 'url' in target ? { url: target.url, secrets } : { url, secrets, endpoint: { key, url, revision } };
}

/** Keeps with the endpoint how the attempt ended: as it ended, whether or not the database is there. */
async function keep(
  attempt: Attempt,
  { key, ...read }: NonNullable<Destination['endpoint']>,
  { endpoints, onGone }: Inner,
): Promise<Attempt> {
  const isGone = attempt.kind === 'dead' && attempt.reason === 'gone';
  const record = async () => {
    const ended = attempt.kind === 'delivered' ? { status: attempt.status } : attempt;
    await endpoints.recordAttempt(key, ended).catch(() => undefined);
    // Without the database the next attempt is answered 410 again.
    if (isGone && (await endpoints.disableGone(key, read))) onGone?.();
  };
  await withTimeLimit(record(), recordMs).catch(() => undefined);
  return isGone ? { ...attempt, kind: 'failed' } : attempt;
}

interface Delivery {
  readonly message: Message;
  readonly destination: Destination;
  readonly inner: Inner;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

async function deliver({ message, destination, inner, limitMs, signal }: Delivery): Promise<Attempt | undefined> {
  const body = Buffer.from(message.body);
  if (body.length > longestBodyBytes) return dead('payload-too-large');
  const judged = judgeUrl(destination.url, inner.rules);
  // A process with earlier settings may judge so: a later attempt, or a redelivery, can succeed.
  if (judged.kind !== 'allowed') return failed('address-not-allowed');
  const { url, port } = judged;
  signal.throwIfAborted();
  const place = await message.enter(`${url.protocol}//${url.hostname}:${port}`, signal);
  if (place === undefined) {
    message.signal?.throwIfAborted();
    return undefined;
  }
  try {
    const signed = headersOf({ id: message.id, sentAt: new Date(), body, secrets: destination.secrets });
    return attemptOf(await inner.post({ url, headers: { ...usualHeaders, ...signed }, body, limitMs, signal }));
  } finally {
    place.leave();
  }
}

const usualHeaders = { 'content-type': 'application/json', 'user-agent': 'Portico' };

function attemptOf(reply: Reply): Attempt {
  if ('failure' in reply) return failed(reply.failure);
  const { status } = reply;
  if (status >= 200 && status < 300) return { kind: 'delivered', status };
  if (status === 410) return { kind: 'dead', reason: 'gone', status };
  if (status >= 300 && status < 400) return { kind: 'failed', reason: 'redirect', status };
  const retryAfterMs = retryAfterMsOf(status, reply.retryAfter, new Date());
  return { kind: 'failed', reason: 'status', status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
