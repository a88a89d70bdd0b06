import type { Queues } from '../adapters/queues/queues.ts';
import type { Webhooks } from '../adapters/webhooks/webhooks.ts';
import type { SettingsOf } from '../config/process-settings.ts';
import type { ProcessDefinition } from './definition.ts';
import type { Actor } from './envelope.ts';

/** Facts of an instance by name, as JSON holds them. */
export type Details = Readonly<Record<string, unknown>>;

/** Who asks, verified. */
export interface Asker {
  readonly tenant: string;
  readonly actor: Actor;
  readonly permissions: { has(permission: string): boolean };
}

/** What a definition may ask the api for while it judges a request. */
export interface JudgingServices {
  /** Every process that is served. */
  readonly catalog: readonly ProcessDefinition[];
  readonly settingsOf: SettingsOf;
  readonly gateway: {
    /**
     * Whether a tenant may have one more open instance of a process; the one asked for counts from now on. The number is
     * counted from time to time, so a burst may pass the limit.
     */
    admitOpen(asked: { process: string; tenant: string; limit: number }, signal?: AbortSignal): Promise<boolean>;
  };
  readonly webhooks: Pick<Webhooks, 'judge'>;
  readonly queues: Pick<Queues, 'judge'>;
}

interface Asked<Input> {
  /** The validated body with defaults. */
  readonly input: Input;
  readonly principal: Asker;
  readonly services: JudgingServices;
  readonly signal: AbortSignal;
}

/** A valid start that nobody has sent on yet. */
export interface AskedStart<Input = never> extends Asked<Input> {
  readonly key: string;
  /** RFC 3339, UTC: what the instance will have as its `startedAt`. */
  readonly startedAt: string;
}

/** A valid action on an instance of the caller's own tenant. */
export interface AskedAction<Input = never> extends Asked<Input> {
  readonly instance: {
    readonly id: string;
    readonly startedAt: string;
    readonly step?: string;
    readonly details?: Details;
  };
}

/** Judges a start, and gives the first details of the instance. Throws a Problem to refuse it. */
export type Prepare = (asked: AskedStart) => Promise<Details>;

/** Judges an action, and gives what the workflow gets as `admitted`. Throws a Problem to refuse it. */
export type Admit = (asked: AskedAction) => Promise<unknown>;
