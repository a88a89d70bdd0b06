import type { z } from 'zod';

/** Where an instance may stand. The first step of a definition is the one every instance begins in. */
export interface StepDefinition {
  /** What a person reads. */
  readonly label: string;
  /** What the instance waits for here, if it is not Portico's own work. */
  readonly waitsFor?: string;
  /** The actions worth offering here; the workflow itself decides. */
  readonly actions?: readonly string[];
}

/** A verb in the URL, an update underneath. */
export interface ActionDefinition {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  /** Defaults to `{process}:{action}`. */
  readonly permission?: string;
}

/** A question to the instance's own code, a query underneath: it needs a worker that runs. */
export interface ViewDefinition {
  readonly summary: string;
  readonly output: z.ZodType;
}

/** Where the business key comes from: a field of the body, or the `Idempotency-Key` header. */
export type BusinessKey =
  | {
      readonly from: 'body';
      readonly field: string;
      /** For keys that are free text or personal data: the instance id is a digest of the key. */
      readonly hashed?: boolean;
    }
  | { readonly from: 'header'; readonly hashed?: boolean };

/** Which new starts a second implementation takes. Instances that run stay with the code they began with. */
export type ImplementationRule =
  | { readonly share: number }
  | { readonly tenants: readonly string[] }
  | { readonly field: string; readonly equals: string };

export interface Implementation {
  readonly workflow: string;
  readonly when: ImplementationRule;
}

/** One process of the catalog as everything outside the catalog sees it. */
export interface ProcessDefinition {
  /** Part of ids, permissions and metric labels: `transfers`. */
  readonly name: string;
  /** The version of the HTTP contract: the `1` of `/v1/transfers`. */
  readonly version: number;
  /** The collection in the URL, the plural of the resource. */
  readonly collection: string;
  readonly summary: string;
  readonly description: string;
  /** The name of the workflow function. */
  readonly workflow: string;
  /** Further implementations of the same contract; the first rule that fits a new start wins. */
  readonly implementations: readonly Implementation[];
  readonly taskQueue: string;
  readonly key: BusinessKey;
  readonly input: z.ZodObject;
  /** One member for each outcome, told apart by `outcome`. */
  readonly output: OutcomeUnion;
  readonly steps: Readonly<Record<string, StepDefinition>>;
  readonly actions: Readonly<Record<string, ActionDefinition>>;
  readonly views: Readonly<Record<string, ViewDefinition>>;
  /** What lists can be searched for: names to input fields, `{ from: 'from' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** An effect or an example worth a sentence in the documentation's process table. */
  readonly effects: string;
}

export type OutcomeUnion = z.ZodDiscriminatedUnion<readonly OutcomeMember[]>;
type OutcomeMember = z.ZodObject<{ outcome: z.ZodLiteral<string> }>;

/** The outcomes a definition declares, in its order. */
export const outcomesOf = (definition: ProcessDefinition): string[] =>
  definition.output.options.map((option) => option.shape.outcome.value);

/** The step every instance of a definition begins in. */
export function firstStepOf(definition: ProcessDefinition): string {
  const [first] = Object.keys(definition.steps);
  if (first === undefined) throw new Error(`process ${definition.name} declares no step`);
  return first;
}

/** What a token must grant for a verb: `transfers:start`, unless the definition gives the action a permission of its own. */
export const permissionOf = ({ name, actions }: ProcessDefinition, verb: string): string =>
  actions[verb]?.permission ?? `${name}:${verb}`;
