import type { z } from 'zod';
import type { Adapters } from '../adapters/index.ts';
import type { SettingsOf } from '../config/process-settings.ts';
import type { ProcessDefinition } from '../definition/definition.ts';
import type { PermanentRowsByName } from '../definition/permanent-row.ts';
import type { Gateway } from '../orchestration/gateway.ts';
import type { Problem, ProblemCode } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';
import type { Carried, RequestFeature } from './carried.ts';
import type { Item, ItemAnswer } from './item.ts';

/** What operations reach the world through. */
export interface Services extends Adapters {
  readonly gateway: Gateway;
  /** By the names that definitions use. */
  readonly permanentRows: PermanentRowsByName;
  readonly settingsOf: SettingsOf;
  /** Every process that is served. */
  readonly catalog: readonly ProcessDefinition[];
  /** Counts a start by how it ended: `created`, `joined`, `replayed`, `mismatch` or `unknown`. */
  readonly countStart: (process: string, status: string) => void;
}

/** One request, verified and parsed: `params`, `query` and `body` have the types that the operation's schemas give. */
export interface Call<Params = Readonly<Record<string, string>>, Query = unknown, Body = unknown> extends Carried {
  /** Who asks. Throws in an operation that is public. */
  readonly principal: Principal;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came, after it was found valid: fingerprints are made of it, before defaults. */
  readonly rawBody: unknown;
  /**
   * Aborts when the caller is gone, or when the time for the answer is up. The signal of a stream aborts when its caller
   * is gone or the app closes.
   */
  readonly signal: AbortSignal;
  /**
   * Ends the request's turn (`overload/gate.ts`): for a handler that goes on to wait for something which takes its time by
   * design. What it does after that is not limited. Without it the turn ends with the answer.
   */
  readonly endTurn: () => void;
  /** What the request is made of, in the order sent, where the operation takes items. */
  readonly items?: readonly Item[];
}

export type ResponseHeader = 'Location' | 'Retry-After' | 'Idempotency-Status' | 'Preference-Applied' | 'ETag';

interface AnswerHead {
  /** One of those that the operation declares in `responses`. */
  readonly status: number;
  readonly headers?: Readonly<Partial<Record<ResponseHeader, string>>>;
}

/** An answer with a body, which is serialised by the schema that is declared for its status. */
export interface BodyAnswer extends AnswerHead {
  readonly body: unknown;
  readonly stream?: never;
  readonly items?: never;
}

/**
 * An answer that is sent as it comes. Its head is sent at once, and the time limit of the operation ends with it. The
 * stream ends when it has no more to give, when the caller goes, or when the app closes. A connection on which nothing
 * is sent for 35 seconds is cut, so a stream that may be quiet sends something of no meaning from time to time.
 */
export interface StreamAnswer extends AnswerHead {
  readonly stream: AsyncIterable<string | Uint8Array>;
  readonly body?: never;
  readonly items?: never;
}

/** An answer without content, such as a 204. */
export interface EmptyAnswer extends AnswerHead {
  readonly body?: never;
  readonly stream?: never;
  readonly items?: never;
}

/** An answer for each item, in the order of the items. None of them rejects. */
export interface ItemsAnswer extends AnswerHead {
  readonly items: readonly Promise<ItemAnswer>[];
  readonly body?: never;
  readonly stream?: never;
}

export type Answer = BodyAnswer | StreamAnswer | EmptyAnswer | ItemsAnswer;

/** What an operation says about one status: a schema for a body, a media type for a stream, or neither for no content. */
export interface ResponseDeclaration {
  readonly description: string;
  readonly headers?: readonly ResponseHeader[];
  readonly body?: z.ZodType;
  /** The media type of a stream, such as `text/event-stream`. */
  readonly stream?: string;
}

/** How scarce what an operation uses is: the unit of rate limits and of shedding. */
export type Cost = 'start' | 'read' | 'list' | 'action';

/** What can be away while an operation is asked for. */
type Dependency = 'orchestration' | 'database';

/** What an operation takes that is asked for several things at once. */
export interface ItemsDeclaration {
  /** How many items a request may have. */
  readonly max: number;
  /** Parses one item, which has been found to be an object. */
  readonly schema: z.ZodType;
  /** What an item asks for that fits the schema. Throws a problem where it asks for nothing that there is. */
  readonly requestOf: (item: never, sent: SentItem) => ItemRequest;
  /** Given where items are CloudEvents: in their media types, and one may come alone. What the document shows of requests. */
  readonly events?: { readonly content: Readonly<Record<string, z.ZodType>>; readonly headers: z.ZodObject };
}

/** How an item came. */
export interface SentItem {
  /** Who sent it; undefined in an operation that is public. */
  readonly principal: Principal | undefined;
  /** How long its text is. */
  readonly bytes: number;
}

/** One item as a request of its own. */
export interface ItemRequest {
  readonly operation: Operation;
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly idempotencyKey?: string | undefined;
  /** What was found wrong with it before. It is told when the item is asked, to those who may ask. */
  readonly fault?: Problem | undefined;
  /** Puts a problem in terms of what was sent: where its errors point. */
  readonly explain?: ((problem: Problem) => Problem) | undefined;
}

/**
 * The permission of an operation that takes items: a token is needed, and each item needs the permission of its own
 * operation. A route with it that takes no items does not boot.
 */
export const perItem = 'per-item';

/** How long a body may be unless its operation says otherwise, in bytes. */
export const usualMaxBodyBytes = 8_192;

/** One HTTP endpoint: what the service does, and what the OpenAPI document says that it does. */
export interface Operation {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters in braces: `/v1/transfers/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly permission: string;
  readonly cost: Cost;
  /** The process it belongs to, for metrics. */
  readonly process?: string;
  /** Whom it asks; unless told otherwise the engine for what belongs to a process, and the database for the rest. */
  readonly dependsOn?: readonly Dependency[];
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** How long a body may be; 8,192 bytes unless told otherwise. What is longer is refused before it is read. */
  readonly maxBodyBytes?: number;
  /** A request without a body is taken as one with an empty object. */
  readonly bodyIsOptional?: boolean;
  /**
   * Set where a request is made of items. They come as a JSON array or one a line (`application/x-ndjson`), and are answered
   * alike. `body` then only says what the document shows.
   */
  readonly items?: ItemsDeclaration;
  /**
   * What a request may carry. The rule for a header that is not understood follows from what the header asks for:
   *
   * - `Prefer` is ignored (RFC 7240, 2), also where it is malformed.
   * - `Idempotency-Key` is ignored.
   * - `If-Match` is refused with `invalid-request`: nothing may be done unless it holds (RFC 9110, 13.1.1).
   * - `If-None-Match` is ignored by GET, which it can only make shorter. Other methods refuse it like `If-Match`.
   * - `Last-Event-ID` is ignored.
   *
   * A header that is understood and malformed is refused: `Idempotency-Key` with `invalid-key`, the others with
   * `invalid-request`.
   */
  readonly understands?: readonly RequestFeature[];
  /** Those that a request must carry. They are understood as well. */
  readonly requires?: readonly 'idempotency-key'[];
  /** The sentence that tells a caller who lacks what `requires` names why it is needed. */
  readonly whyRequired?: string;
  readonly responses: Readonly<Record<number, ResponseDeclaration>>;
  /** The problems of this operation beyond those every operation can have. */
  readonly problems: readonly ProblemCode[];
  /** The instance that a request is about, for its line in the log, where the address does not name it. */
  readonly instanceOf?: (call: Call) => string;
  readonly handle: (call: Call, services: Services) => Promise<Answer>;
}

/** What an operation depends on. */
export const dependenciesOf = ({ dependsOn, process: processName }: Operation): readonly Dependency[] =>
  dependsOn ?? [processName === undefined ? 'database' : 'orchestration'];

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Declares an operation whose handler gets what its own schemas give. */
export const defineOperation = <
  const Params extends z.ZodObject | undefined = undefined,
  const Query extends z.ZodObject | undefined = undefined,
  const Body extends z.ZodType | undefined = undefined,
>(
  operation: Omit<Operation, 'params' | 'query' | 'body' | 'handle'> & {
    readonly params?: Params;
    readonly query?: Query;
    readonly body?: Body;
    readonly handle: (
      call: Call<OutputOf<Params>, OutputOf<Query>, OutputOf<Body>>,
      services: Services,
    ) => Promise<Answer>;
  },
  // The routes parse each part by these very schemas before they call the handler.
): Operation => operation as unknown as Operation;
