import type { z } from 'zod';
import type { Queues } from '../adapters/queues/queues.ts';
import type { Webhooks } from '../adapters/webhooks/webhooks.ts';
import type { SettingsOf, SettingsSchema } from '../config/process-settings.ts';
import type { ProblemCode } from '../problems.ts';
import type { Actor } from './envelope.ts';
import type { EventDeclaration } from './events.ts';

/** A step that an instance may be in. Every instance begins in the first step of its definition. */
export interface StepDefinition {
  /** The name of the step for people. */
  readonly label: string;
  /** What the instance waits for here, where that is not Portico's own work. */
  readonly waitsFor?: string;
  /** The actions that answers link to here. The workflow itself decides whether to accept one. */
  readonly actions?: readonly string[];
  /** The steps that may follow this one; `end` where the instance may end here. Documents draw the instance from it. */
  readonly next?: readonly string[];
}

/** An action of callers: a verb in the URL, a Temporal update underneath. */
export interface ActionDefinition {
  readonly summary: string;
  readonly input: z.ZodType;
  /** Its answer holds this as `output`, beside the instance after the action. */
  readonly output: z.ZodType;
  /**
   * What the same request says when it comes again without a key: `once` means what it meant before, and gets the first
   * answer; `each` means it anew, so that a request needs an `Idempotency-Key` to tell a repetition from another one.
   */
  readonly repetition: 'once' | 'each';
  /** Defaults to `{process}:{action}`. */
  readonly permission?: string;
  /**
   * Judges the action before the instance gets it, for what depends on the instance, such as a permission on what it
   * will start. It judges a repetition anew, so it refuses only what stays wrong.
   */
  readonly admit?: Admit;
  /** The problems that `admit` and the workflow refuse with, beyond those of every action. */
  readonly refusals?: readonly ProblemCode[];
}

/** A view on an instance, a Temporal query underneath. Reading one needs a running worker. */
export interface ViewDefinition {
  readonly summary: string;
  readonly output: z.ZodType;
}

/** The source of the business key: a field of the body, or the `Idempotency-Key` header. */
export type BusinessKey =
  | {
      readonly from: 'body';
      readonly field: string;
      /** Makes the instance id a digest of the key, for keys that are free text or personal data. */
      readonly hashed?: boolean;
    }
  | { readonly from: 'header'; readonly hashed?: boolean };

/** Which new starts a second implementation takes. Running instances keep the implementation they began with. */
export type ImplementationRule =
  | { readonly share: number }
  /** The share is what this setting of the process says: operators change it without a release. */
  | { readonly shareSetting: string }
  | { readonly tenants: readonly string[] }
  | { readonly field: string; readonly equals: string };

export interface Implementation {
  readonly workflow: string;
  readonly when: ImplementationRule;
}

/** One process of the catalog, as everything outside the catalog sees it. */
export interface ProcessDefinition {
  /** Part of ids, permissions and metric labels: `transfers`. */
  readonly name: string;
  /** The version of the HTTP contract: the `1` of `/v1/transfers`. */
  readonly version: number;
  /** The collection in the URL, the plural of the resource. */
  readonly collection: string;
  /** One resource of the collection, as clients name their methods: the `transfer` of `startTransfer`. */
  readonly singular: string;
  readonly summary: string;
  readonly description: string;
  /** The name of the workflow function. */
  readonly workflow: string;
  /** Further implementations of the same contract. The first whose rule fits takes a new start. */
  readonly implementations: readonly Implementation[];
  readonly taskQueue: string;
  /**
   * Its workflow runs activities that wait for strangers on the task queue `{taskQueue}.deliveries`, whose slots are many
   * and its own, so that they take none from other activities.
   */
  readonly hasDeliveries?: boolean | undefined;
  readonly key: BusinessKey;
  readonly input: z.ZodObject;
  /** How long the body of a start may be; 8,192 bytes unless told otherwise. */
  readonly maxBodyBytes?: number;
  /**
   * Facts of an instance that its answers show beside `step`: set at the start by `prepare`, changed by the workflow with
   * `showDetails`. Reading them needs no worker. A field that older instances lack is optional.
   */
  readonly details?: z.ZodObject | undefined;
  /**
   * What the api does with a valid start before it sends it. It changes nothing: schedules and delayed tasks ask it as well. A repeated start gets its first answer even where `prepare`
   * would refuse it now, unless it refuses with `forbidden`.
   */
  readonly prepare?: Prepare | undefined;
  /**
   * How many instances of one tenant may be open at once: a further start is refused with `limit-reached` unless it is a
   * repetition. They are counted from time to time, so a burst may pass the limit.
   */
  readonly openLimit?: ((settingsOf: SettingsOf) => number) | undefined;
  /** The problems that `prepare` refuses with, beyond those of every start. */
  readonly refusals?: readonly ProblemCode[] | undefined;
  /** A union with one member for each value of `outcome`. */
  readonly output: OutcomeUnion;
  readonly steps: Readonly<Record<string, StepDefinition>>;
  readonly actions: Readonly<Record<string, ActionDefinition>>;
  readonly views: Readonly<Record<string, ViewDefinition>>;
  /** The events that start an instance or are an action on one. */
  readonly events: readonly EventDeclaration[];
  /** Filters of lists: their names, and the input fields they compare, as in `{ from: 'from' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /**
   * What an operator can set, by names in camelCase: `approvalTimeout` of `transfers` is read from
   * `PORTICO_TRANSFERS_APPROVAL_TIMEOUT`. All versions of a process share one schema. `settingsOf(schema)` gives the values.
   */
  readonly settings: SettingsSchema;
  /**
   * A row of a database that keeps each instance for ever. Where Temporal closed an instance without an outcome of its own,
   * the row tells how it stands.
   */
  readonly permanentRow?: PermanentRowDeclaration | undefined;
  /** The effects of the process, in a few words for the documentation's process table. */
  readonly effects: string;
}

export interface PermanentRowDeclaration {
  /** What the list of adapters calls these rows. */
  readonly rows: string;
  /** The outcome of an instance whose key has the row of another payload: after retention, the row's word counts. */
  readonly conflict: string;
}

export type OutcomeUnion = z.ZodDiscriminatedUnion<readonly OutcomeMember[]>;
type OutcomeMember = z.ZodObject<{ outcome: z.ZodLiteral<string> }>;

/** The outcomes that a definition declares, in its order. */
export const outcomesOf = (definition: ProcessDefinition): string[] =>
  definition.output.options.map((option) => option.shape.outcome.value);

/** The step that every instance of a definition begins in. */
export function firstStepOf(definition: ProcessDefinition): string {
  const [first] = Object.keys(definition.steps);
  if (first === undefined) throw new Error(`process ${definition.name} declares no step`);
  return first;
}

/** What a token must grant for a verb: `transfers:start`, unless the definition gives the action a permission of its own. */
export const permissionOf = ({ name, actions }: ProcessDefinition, verb: string): string =>
  actions[verb]?.permission ?? `${name}:${verb}`;

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
