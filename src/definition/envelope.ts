import type { ProblemCode } from '../problems.ts';

/**
 * The data that Portico and workflows exchange. This file holds types only, because workflows import it. Portico itself
 * sets everything in `context`; no caller can.
 */

/** The issuer and the subject of a verified token. Two actors are the same only if both are equal. */
export interface Actor {
  readonly iss: string;
  readonly sub: string;
}

/** Facts about an instance, verified or computed by Portico. */
export interface ProcessContext {
  readonly tenant: string;
  /** The business key, unique within tenant, process and generation. */
  readonly key: string;
  /** 1 for the first generation of a key. */
  readonly generation: number;
  readonly startedBy: Actor;
  /**
   * Others by whose request this instance began: who triggered or backfilled its schedule, or made its delayed task run.
   * Whoever stands here decides about it no more than `startedBy` does.
   */
  readonly alsoAskedBy?: readonly Actor[] | undefined;
  /** `f1.{sha256 hex}` of the validated body before defaults, with process and tenant. */
  readonly fingerprint: string;
  /** W3C trace context of the request that created the instance. */
  readonly traceparent?: string | undefined;
}

/** The one argument of every workflow. */
export interface Envelope<Input, Details = unknown> {
  readonly input: Input;
  readonly context: ProcessContext;
  /** What `prepare` of the definition gave; absent where it has none. */
  readonly details?: Details | undefined;
  /** The answers of earlier runs of the same instance; absent in the first run. */
  readonly answered?: AnsweredActions | undefined;
}

/** Answers of actions by their ids, so that a later run answers a repetition in the same way. */
export type AnsweredActions = Readonly<Record<string, ActionAnswer<unknown> | ActionRefusal>>;

/** The one argument of every action (an update underneath). */
export interface ActionCall<Input, Admitted = unknown> {
  readonly input: Input;
  /** What `admit` of the definition gave; absent where the action has none. */
  readonly admitted?: Admitted | undefined;
  readonly actor: Actor;
  /** Digest of actor and body. The same `Idempotency-Key` with another fingerprint is a mismatch, not a repetition. */
  readonly fingerprint: string;
  /** Names one request to Portico. Calls of releases before it have none. */
  readonly requestId?: string | undefined;
}

/** The answer of an action, with the fingerprint of the call that was applied: another fingerprint is a mismatch. */
export interface ActionAnswer<Output> {
  readonly output: Output;
  readonly fingerprint: string;
}

/** The refusal of an action that had been let in, with the call that was refused. */
export interface ActionRefusal {
  readonly refused: ProblemCode;
  readonly fingerprint: string;
  readonly requestId?: string | undefined;
}
