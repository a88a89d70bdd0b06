import { hash, randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Actor } from '../definition/envelope.ts';

/** Names one instance without ambiguity. */
export interface InstanceRef {
  readonly tenant: string;
  readonly process: string;
  readonly key: string;
  /** 1 unless a later instance of the same key is meant. */
  readonly generation?: number;
}

// `workflow_id VARCHAR(255)` in Temporal's PostgreSQL schemas.
const maxWorkflowIdLength = 255;
const part = /^[A-Za-z0-9._:-]+$/;

/**
 * The deterministic id `{tenant}/{process}/{key}`, with `~2` for a second generation. None of the parts can contain a
 * `/` or a `~`, so no key can forge another's id. Throws a RangeError for parts that ids do not allow.
 */
export function workflowIdOf({ tenant, process: processName, key, generation = 1 }: InstanceRef): string {
  for (const value of [tenant, processName, key]) {
    if (!part.test(value)) throw new RangeError('a part of an instance id has a character that ids do not allow');
  }
  const id = `${tenant}/${processName}/${key}${generation === 1 ? '' : `~${generation}`}`;
  if (id.length > maxWorkflowIdLength) throw new RangeError('an instance id would be longer than 255 characters');
  return id;
}

/** The inverse of {@link workflowIdOf}; undefined for an id that is not one of ours. */
export function parseWorkflowId(workflowId: string): Required<InstanceRef> | undefined {
  const match = /^([A-Za-z0-9._:-]+)\/([A-Za-z0-9._:-]+)\/([A-Za-z0-9._:-]+)(?:~([1-9][0-9]*))?$/.exec(workflowId);
  const [, tenant, processName, key, generation] = match ?? [];
  if (tenant === undefined || processName === undefined || key === undefined) return undefined;
  return { tenant, process: processName, key, generation: Number(generation ?? 1) };
}

const digestOf = (value: unknown, encoding: 'hex' | 'base64url'): string =>
  hash('sha256', canonicalize(value) ?? '', encoding);

/**
 * What makes two starts equal, as `f1.{hex}`: SHA-256 over the RFC 8785 form of the validated body before defaults, with
 * process and tenant. The caller's subject is no part of it, so that any relay of a tenant may repeat a start.
 */
export const fingerprintOf = (start: { tenant: string; process: string; body: unknown }): string =>
  `f1.${digestOf(['f1', start.tenant, start.process, start.body], 'hex')}`;

const requestIdPattern = /^(f1\.[0-9a-f]{64})\./;

/** A request id for one start call. Its nonce lets the server tell a duplicate start from a retry of this one. */
export const requestIdOf = (fingerprint: string): string => `${fingerprint}.${randomUUID()}`;

/** The fingerprint of the creator, or undefined where the run got a request id that is not ours. */
export const fingerprintInRequestId = (requestId: string): string | undefined => requestIdPattern.exec(requestId)?.[1];

/** The instance id of a key that is free text or personal data. */
export const hashedKey = (key: string): string => `h.${digestOf(['key', key], 'base64url')}`;

/**
 * The idempotency key of an event. Two events are the same where source and id are (CloudEvents 1.0.2); as JSON the two
 * cannot run into each other.
 */
export const eventKeyOf = (source: string, id: string): string => `e.${digestOf(['e1', source, id], 'base64url')}`;

/** Digest of who asks and what: the same `Idempotency-Key` with another digest is a mismatch. */
export const actionFingerprintOf = (call: { actor: Actor; body: unknown }): string =>
  digestOf(['a1', call.actor.iss, call.actor.sub, call.body], 'base64url');

/** What deduplicates an action. The action's name is in it, so that an approve can never answer a reject. */
export const updateIdOf = (action: string, idempotencyKey: string | undefined, fingerprint: string): string =>
  `${action}.${idempotencyKey === undefined ? `d.${fingerprint}` : `k.${idempotencyKey}`}`;

/** The id under which an action without key is asked for once more, after the request of that id was refused. */
export const updateIdAfter = (action: string, updateId: string, refusedRequestId: string): string =>
  `${action}.d.${digestOf(['r1', updateId, refusedRequestId], 'base64url')}`;
