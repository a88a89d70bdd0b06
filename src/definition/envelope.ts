/**
 * What crosses from Portico into a workflow and back. Types only: workflows import them, and nothing here may carry code.
 * Everything in `context` is Portico's word, never the caller's.
 */

/** Who asks: the issuer and the subject of a verified token. Two subjects are equal only if both parts are. */
export interface Actor {
  readonly iss: string;
  readonly sub: string;
}

/** Facts about an instance that Portico vouches for. */
export interface ProcessContext {
  readonly tenant: string;
  /** The business key, unique within tenant, process and generation. */
  readonly key: string;
  /** 1 for the first life of a key. */
  readonly generation: number;
  readonly startedBy: Actor;
  /** `f1.{sha256 hex}` of the validated body before defaults, with process and tenant. */
  readonly fingerprint: string;
  /** W3C trace context of the request that created the instance. */
  readonly traceparent?: string | undefined;
}

/** The one argument of every workflow. */
export interface Envelope<Input> {
  readonly input: Input;
  readonly context: ProcessContext;
  /** What earlier runs of the same instance have answered; absent in the first. */
  readonly answered?: AnsweredActions | undefined;
}

/** Answers of actions by their ids, so that a repetition is answered alike in a later run. */
export type AnsweredActions = Readonly<Record<string, ActionAnswer<unknown>>>;

/** The one argument of every action (an update underneath). */
export interface ActionCall<Input> {
  readonly input: Input;
  readonly actor: Actor;
  /** Digest of actor and body: the same `Idempotency-Key` with another fingerprint is a mismatch, not a repetition. */
  readonly fingerprint: string;
}

/** What an action answers. The fingerprint of the call that was applied comes back, so that a mismatch can be seen. */
export interface ActionAnswer<Output> {
  readonly output: Output;
  readonly fingerprint: string;
}
