import type { z } from 'zod';
import type { Adapters } from '../adapters/index.ts';
import type { SettingsOf } from '../config/process-settings.ts';
import type { ProcessDefinition } from '../definition/definition.ts';
import type { PermanentRowsByName } from '../definition/permanent-row.ts';
import type { Gateway } from '../orchestration/gateway.ts';
import type { ProblemCode } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';

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

/** An entity tag (RFC 9110, 8.8.3), its value without the quotes. */
export interface EntityTag {
  readonly value: string;
  readonly isWeak: boolean;
}

/** What `If-Match` and `If-None-Match` compare with: the tags that they list, or `*` for any representation. */
export type TagCondition = '*' | readonly EntityTag[];

/** What a request carries in its headers, as far as its operation understands them. */
export interface Carried {
  /** How long the caller is willing to wait, in milliseconds; 0 unless it sent `Prefer: wait`. */
  readonly waitMs: number;
  readonly idempotencyKey?: string | undefined;
  /** The operation compares strongly (RFC 9110, 13.1.1). */
  readonly ifMatch?: TagCondition | undefined;
  /** The operation compares weakly (RFC 9110, 13.1.2). */
  readonly ifNoneMatch?: TagCondition | undefined;
  /** The id of the last event that a caller of a stream has seen. */
  readonly lastEventId?: string | undefined;
  /** The W3C trace context, where it is well formed. */
  readonly traceparent?: string | undefined;
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
}

/**
 * An answer that is sent as it comes. Its head is sent at once, and the time limit of the operation ends with it. The
 * stream ends when it has no more to give, when the caller goes, or when the app closes. A connection on which nothing
 * is sent for 35 seconds is cut, so a stream that may be quiet sends something of no meaning from time to time.
 */
export interface StreamAnswer extends AnswerHead {
  readonly stream: AsyncIterable<string | Uint8Array>;
  readonly body?: never;
}

/** An answer without content, such as a 204. */
export interface EmptyAnswer extends AnswerHead {
  readonly body?: never;
  readonly stream?: never;
}

export type Answer = BodyAnswer | StreamAnswer | EmptyAnswer;

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

/** A header that a request may carry and that only some operations understand. */
export type RequestFeature = 'prefer-wait' | 'idempotency-key' | 'if-match' | 'if-none-match' | 'last-event-id';

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
