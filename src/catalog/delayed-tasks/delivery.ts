import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Names one delayed task for ever: also after a reset, and in every run. */
export interface DelayedTaskKey {
  readonly tenant: string;
  readonly key: string;
  readonly generation: number;
}

/**
 * The id that every attempt to deliver carries: `webhook-id`, the message id of a queue, and the key of an instance that a
 * task starts. 46 characters without a dot, since the signature of a webhook separates its parts with dots.
 */
export const deliveryIdOf = ({ tenant, key, generation }: DelayedTaskKey): string =>
  `dt_${createHash('sha256')
    .update(JSON.stringify(['delayed-task', tenant, key, generation]))
    .digest('base64url')}`;

/**
 * The bytes that a receiver gets: RFC 8785, so that every attempt sends the same ones. A change of this function changes
 * what tasks in flight deliver between two attempts.
 */
export function deliveryBodyOf(task: DelayedTaskKey, { dueAt, payload }: { dueAt: string; payload: unknown }): string {
  const body = { id: deliveryIdOf(task), taskId: task.key, type: 'delayed-task.due', dueAt, payload: payload ?? null };
  return canonicalize(body) ?? '';
}
