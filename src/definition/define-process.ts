import type { QueryDefinition, UpdateDefinition } from '@temporalio/common';
import { z } from 'zod';
import type { ProcessDefinition, StepDefinition } from './definition.ts';
import type { ActionAnswer, ActionCall, Envelope } from './envelope.ts';
import type { ActionEvent, EventDeclaration, StartEvent } from './events.ts';

type Defaulted = 'implementations' | 'actions' | 'views' | 'events' | 'labels' | 'settings';

/** A definition as its file writes it. {@link defineProcess} fills in empty lists. */
export type ProcessDraft = Omit<ProcessDefinition, Defaulted> & Partial<Pick<ProcessDefinition, Defaulted>>;

/** An impossible type whose message the compiler prints where a definition and its workflow file disagree. */
interface Disagree<Message extends string, Definition, Workflow> {
  readonly 'the definition disagrees with the workflow file': Message;
  readonly definition: Definition;
  readonly workflow: Workflow;
}

// Types must be identical, not assignable: an extra optional field is assignable, and would pass. Workflows take their
// types from the schemas, so no leniency is needed.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the two deferred types are what is compared
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type InputOf<W> = W extends (envelope: Envelope<infer Input, infer _>) => Promise<unknown> ? Input : never;
type DetailsOf<W> = W extends (envelope: Envelope<infer _, infer Details>) => Promise<unknown> ? Details : never;
type ResultOf<W> = W extends (envelope: never) => Promise<infer Result> ? Result : never;

type Workflows<M> = { [K in keyof M]: M[K] extends (envelope: never) => Promise<unknown> ? K : never }[keyof M];

type CheckInput<M, W, Schema> = W extends keyof M
  ? Same<z.output<Schema>, InputOf<M[W]>> extends true
    ? unknown
    : Disagree<'the workflow takes another input than the schema gives', z.output<Schema>, InputOf<M[W]>>
  : Disagree<'the workflow file exports no such workflow', W, keyof M>;

type CheckOutput<M, W, Schema> = W extends keyof M
  ? Same<z.output<Schema>, ResultOf<M[W]>> extends true
    ? unknown
    : Disagree<'the workflow returns another result than the schema declares', z.output<Schema>, ResultOf<M[W]>>
  : unknown;

/** A workflow that reads no details takes any. */
type CheckDetails<M, W, Schema> = W extends keyof M
  ? Same<DetailsOf<M[W]>, unknown> extends true
    ? unknown
    : Same<z.output<Schema>, DetailsOf<M[W]>> extends true
      ? unknown
      : Disagree<'the workflow takes other details than the schema gives', z.output<Schema>, DetailsOf<M[W]>>
  : unknown;

type CheckActions<M, A> = {
  [K in keyof A]: A[K] extends { input: infer I; output: infer O }
    ? K extends keyof M
      ? M[K] extends UpdateDefinition<ActionAnswer<infer R>, [ActionCall<infer P, infer _>]>
        ? Same<z.output<I>, P> extends true
          ? Same<z.output<O>, R> extends true
            ? A[K]
            : Disagree<'the update answers something else', z.output<O>, R>
          : Disagree<'the update takes something else', z.output<I>, P>
        : Disagree<'the export is no update of one ActionCall that gives an ActionAnswer', K, M[K]>
      : Disagree<'the workflow file exports no such update', K, keyof M>
    : A[K];
};

type CheckViews<M, V> = {
  [K in keyof V]: V[K] extends { output: infer O }
    ? K extends keyof M
      ? M[K] extends QueryDefinition<infer R>
        ? Same<z.output<O>, R> extends true
          ? V[K]
          : Disagree<'the query answers something else', z.output<O>, R>
        : Disagree<'the export is no query without arguments', K, M[K]>
      : Disagree<'the workflow file exports no such query', K, keyof M>
    : V[K];
};

type KeysOf<T> = T extends unknown ? keyof T : never;

/** A body with an unknown field is assignable, and each event would be refused. */
type CheckBody<Given, Taken, Fits> = Given extends Taken
  ? Exclude<KeysOf<Given>, KeysOf<Taken>> extends never
    ? Fits
    : Disagree<'an event maps to an unknown field', KeysOf<Taken>, Exclude<KeysOf<Given>, KeysOf<Taken>>>
  : Disagree<'an event maps to something else than is taken', Taken, Given>;

type CheckEvent<D extends ProcessDraft, E> =
  E extends StartEvent<infer Input>
    ? CheckBody<Input, z.input<D['input']>, E>
    : E extends ActionEvent<infer Action, infer Body>
      ? D extends { actions: infer Actions }
        ? Action extends keyof Actions
          ? Actions[Action] extends { input: infer Schema }
            ? CheckBody<Body, z.input<Schema>, E>
            : never
          : Disagree<'an event is an undeclared action', keyof Actions, Action>
        : Disagree<'an event is an undeclared action', never, Action>
      : E;

/** Events taken over from another definition were checked there. */
type CheckEvents<D extends ProcessDraft> = D extends { events: infer Events }
  ? { events: { [K in keyof Events]: EventDeclaration extends Events[K] ? Events[K] : CheckEvent<D, Events[K]> } }
  : unknown;

/** Holds a second implementation to the contract of the first: same input, same result. */
type CheckImplementations<M, W, D> = D extends { implementations: readonly { workflow: infer Second }[] }
  ? Second extends keyof M
    ? W extends keyof M
      ? Same<InputOf<M[W]>, InputOf<M[Second]>> extends true
        ? Same<ResultOf<M[W]>, ResultOf<M[Second]>> extends true
          ? unknown
          : { implementations: Disagree<'the implementations return different results', W, Second> }
        : { implementations: Disagree<'the implementations take different inputs', W, Second> }
      : unknown
    : { implementations: Disagree<'the workflow file exports no such workflow', Second, keyof M> }
  : unknown;

type FieldOf<D extends ProcessDraft> = keyof z.input<D['input']> & string;

/** What the compiler checks in a definition, given the module of its workflow file. */
type Checked<M, D extends ProcessDraft> = {
  workflow: D['workflow'] extends Workflows<M>
    ? unknown
    : Disagree<'the workflow file exports no such workflow', D['workflow'], Workflows<M>>;
  input: CheckInput<M, D['workflow'], D['input']>;
  output: CheckOutput<M, D['workflow'], D['output']>;
  key: { from: 'header' } | { from: 'body'; field: FieldOf<D> };
  labels?: Readonly<Record<string, FieldOf<D>>>;
  steps: Readonly<
    Record<
      string,
      StepDefinition & {
        readonly actions?: readonly (keyof D['actions'])[];
        readonly next?: readonly (keyof D['steps'] | 'end')[];
      }
    >
  >;
} & (D extends { actions: infer A } ? { actions: CheckActions<M, A> } : unknown) &
  (D extends { details: infer S } ? { details: CheckDetails<M, D['workflow'], S> } : unknown) &
  (D extends { views: infer V } ? { views: CheckViews<M, V> } : unknown) &
  CheckEvents<D> &
  CheckImplementations<M, D['workflow'], D>;

/**
 * Declares a process as frozen data: `defineProcess<typeof workflows>()({ workflow: 'transfers', … })`.
 * The type argument is the module of the workflow file, so that the compiler compares the two.
 * `checkCatalog` checks at start-up what types cannot see, such as duplicates and names that do not fit a URL.
 */
export const defineProcess =
  <M>() =>
  <const D extends ProcessDraft>(draft: D & Checked<M, D>): ProcessDefinition =>
    Object.freeze({
      implementations: [],
      actions: {},
      views: {},
      events: [],
      labels: {},
      settings: noSettings,
      ...(draft as D),
    });

const noSettings = z.object({});
