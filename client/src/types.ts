import type { operations as table } from './operations.ts';
import type { operations as schemas } from './schema.ts';

type Table = typeof table;
export type OperationId = keyof Table & keyof schemas;
type Resource = Table[OperationId]['resource'];

/** The JSON of each answer that an operation may give. */
type AnswerOf<Id extends OperationId> = {
  [Status in keyof schemas[Id]['responses']]: schemas[Id]['responses'][Status] extends {
    readonly content: { readonly 'application/json': infer Body };
  }
    ? Body
    : undefined;
}[keyof schemas[Id]['responses']];

/** What a start says of the instance beside its representation. */
interface Started {
  /** Whether this call created the instance, joined it while it runs, or found it closed. */
  readonly idempotencyStatus: 'created' | 'joined' | 'replayed';
}

/** What an operation of a versioned resource says beside its representation. */
interface Tagged {
  /** For `ifMatch`. */
  readonly etag?: string;
}

type HeadersOf<Id extends OperationId> = schemas[Id]['responses'] extends {
  readonly 200: { readonly headers: infer Headers };
}
  ? Headers
  : unknown;

type WithHeaders<Id extends OperationId, Answer> = Answer extends object
  ? Answer &
      ('Idempotency-Status' extends keyof HeadersOf<Id> ? (Id extends `start${string}` ? Started : unknown) : unknown) &
      ('ETag' extends keyof HeadersOf<Id> ? Tagged : unknown)
  : Answer;

type Simplified<T> = T extends object ? { [Key in keyof T]: T[Key] } : T;

/** What a call resolves to. */
export type Answered<Id extends OperationId> = Simplified<WithHeaders<Id, AnswerOf<Id>>>;

export type BodyOf<Id extends OperationId> = schemas[Id] extends {
  readonly requestBody?: { readonly content: { readonly 'application/json': infer Body } };
}
  ? Body
  : undefined;

type QueryOf<Id extends OperationId> = schemas[Id]['parameters'] extends { readonly query?: infer Query }
  ? Exclude<Query, undefined>
  : never;

/** What every call takes. */
export interface CallOptions {
  /** Ends the call, whose promise rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
}

type OptionsOf<Id extends OperationId> = CallOptions &
  (Table[Id]['key'] extends 'none'
    ? unknown
    : {
        /** Calls with equal keys are applied once. Where an operation needs one and none is given, each call has its own. */
        readonly idempotencyKey?: string | undefined;
      }) &
  (Table[Id]['waits'] extends true
    ? {
        /** How long Portico may hold its answer for the end of the instance, in milliseconds. */
        readonly waitMs?: number | undefined;
      }
    : unknown) &
  ('If-Match' extends keyof NonNullable<schemas[Id]['parameters']['header']>
    ? {
        /** The `etag` of the representation that the change was made from. */
        readonly ifMatch?: string | undefined;
      }
    : unknown);

/** The parameters in the path. */
type PathOf<Id extends OperationId> = Table[Id]['path'] extends `${string}{${string}}${string}` ? [id: string] : [];

type BodyArgument<Id extends OperationId> = Table[Id]['body'] extends 'none'
  ? []
  : Table[Id]['body'] extends 'needed'
    ? [body: BodyOf<Id>]
    : [body?: BodyOf<Id>];

type QueryArgument<Id extends OperationId> = Table[Id]['query'] extends true ? [query?: QueryOf<Id>] : [];

type ItemOf<Id extends OperationId> = AnswerOf<Id> extends { readonly items: readonly (infer Item)[] } ? Item : never;

/** A list: iterated from page to page, or read by pages. */
export interface Listing<Item, Page> extends AsyncIterable<Item> {
  /** One page; the one that the query's `cursor` names, or the first. */
  page(): Promise<Page>;
}

type CallOf<Id extends OperationId> = Table[Id]['lists'] extends true
  ? (...given: [...PathOf<Id>, query?: QueryOf<Id>, options?: CallOptions]) => Listing<ItemOf<Id>, AnswerOf<Id>>
  : (
      ...given: [...PathOf<Id>, ...BodyArgument<Id>, ...QueryArgument<Id>, options?: Simplified<OptionsOf<Id>>]
    ) => Promise<Answered<Id>>;

/** How long to wait for an end. */
export interface ResultOptions extends CallOptions {
  /** In milliseconds. */
  readonly timeoutMs: number;
}

/** Beside the operations: the end of an instance, however long it takes. */
type ResultOf<R extends Resource> = {
  readonly [
    Id in OperationId as Table[Id] extends { readonly resource: R; readonly call: 'getResult' } ? 'result' : never
  ]: (id: string, options: ResultOptions) => Promise<Answered<Id>>;
};

/** The resources that are called as one function. */
type Lone = 'batch' | 'events';

type ResourceCalls<R extends Resource> = {
  readonly [Id in OperationId as Table[Id]['resource'] extends R ? Table[Id]['call'] : never]: CallOf<Id>;
} & ResultOf<R>;

type BatchOperation = schemas['sendBatch']['requestBody']['content']['application/json'][number]['operation'] &
  OperationId;

/** One request of a batch, as its operation takes it alone. */
export type BatchItem = {
  [Id in BatchOperation]: {
    readonly operation: Id;
  } & (Table[Id]['key'] extends 'needed'
    ? {
        /** Yours to keep: a batch that is sent again means the same only with the same keys. */
        readonly idempotencyKey: string;
      }
    : { readonly idempotencyKey?: string | undefined }) &
    (PathOf<Id> extends [] ? unknown : { readonly id: string }) &
    (Table[Id]['body'] extends 'needed' ? { readonly body: BodyOf<Id> } : { readonly body?: BodyOf<Id> });
}[BatchOperation];

export type BatchAnswer = AnswerOf<'sendBatch'>[number];

/** Every operation of Portico, by its resource. */
export type Resources = { readonly [R in Exclude<Resource, Lone>]: ResourceCalls<R> };
