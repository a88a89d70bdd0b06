import type { JudgingServices, ProcessDefinition } from '../src/definition/definition.ts';
import type { Actor } from '../src/definition/envelope.ts';
import { launchableOf, type LaunchTarget } from '../src/definition/launch-target.ts';
import { startPrepared } from '../src/definition/prepared-start.ts';
import type { Gateway } from '../src/orchestration/gateway.ts';
import { hashedKey } from '../src/orchestration/identity.ts';
import { Problem, type ProblemCode } from '../src/problems.ts';

/** A target with what its instance is started as. */
export interface LaunchOrder extends LaunchTarget {
  readonly tenant: string;
  readonly startedBy: Actor;
  /** Others by whose request it is started. */
  readonly alsoAskedBy?: readonly Actor[] | undefined;
  readonly traceparent?: string | undefined;
}

/** `key` is the id of the instance. `refused`: no repetition of the same order can start it. */
export type Launched =
  | { readonly kind: 'created' | 'joined' | 'replayed'; readonly key: string }
  | { readonly kind: 'refused'; readonly code: ProblemCode };

export interface LaunchDependencies {
  readonly gateway: Pick<Gateway, 'start' | 'findStarted' | 'admitOpen'>;
  /** What definitions judge a start with. */
  readonly judging: JudgingServices;
  /** What this release can start. */
  readonly definitions: readonly ProcessDefinition[];
}

export type Launch = (order: LaunchOrder) => Promise<Launched>;

/** Starts processes for delayed tasks and schedules. */
export function createLaunch({ gateway, definitions, judging: services }: LaunchDependencies): Launch {
  async function launch({ tenant, startedBy, alsoAskedBy, traceparent, ...target }: LaunchOrder): Promise<Launched> {
    const { definition, body, input, key: businessKey } = launchableOf(definitions, target);
    const key = definition.key.hashed === true ? hashedKey(businessKey) : businessKey;
    // When it was asked for, the same definition judged it with the permissions of whoever asked.
    const principal = { tenant, actor: startedBy, permissions: { has: () => true } };
    const call = { definition, tenant, key, body, input, startedBy, alsoAskedBy, traceparent };
    const started = await startPrepared(call, { gateway, principal, services, signal: new AbortController().signal });
    if (started.kind === 'unknown') throw new Problem('outcome-unknown', { cause: started.cause });
    if (started.kind === 'mismatch') return { kind: 'refused', code: 'idempotency-mismatch' };
    return { kind: started.kind, key };
  }

  /**
   * Starts the instance through the gateway, at most once for its key. The input is validated with the schema of this
   * release. Throws the Problem where a repetition may succeed or tell.
   */
  return async (order) => {
    try {
      return await launch(order);
    } catch (error) {
      if (!(error instanceof Problem) || error.kind.retryable) throw error;
      return { kind: 'refused', code: error.code };
    }
  };
}
