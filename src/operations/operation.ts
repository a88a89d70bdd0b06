import type { z } from 'zod';
import type { Adapters } from '../adapters/index.ts';
import type { SettingsOf } from '../config/process-settings.ts';
import type { Gateway } from '../orchestration/gateway.ts';
import type { ProblemCode } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';

/** What operations reach the world through. */
export interface Services extends Adapters {
  readonly gateway: Gateway;
  readonly settingsOf: SettingsOf;
  /** Counts a start by how it ended: `created`, `joined`, `replayed`, `mismatch` or `unknown`. */
  readonly countStart: (process: string, status: string) => void;
}

/** One request, verified and parsed: `params`, `query` and `body` have the types that the operation's schemas give. */
export interface Call<Params = Readonly<Record<string, string>>, Query = unknown, Body = unknown> {
  readonly principal: Principal;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came, after it was found valid: fingerprints are made of it, before defaults. */
  readonly rawBody: unknown;
  /** How long the caller is willing to wait, in milliseconds; 0 unless it sent `Prefer: wait`. */
  readonly waitMs: number;
  readonly idempotencyKey?: string | undefined;
  readonly traceparent?: string | undefined;
  /** Says for the log which instance the request is about, where the address does not. */
  readonly nameInstance: (instanceId: string) => void;
  /** Aborts when the caller is gone or the time for the request is up. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How scarce what an operation uses is: the unit of rate limits and of shedding. */
export type Cost = 'start' | 'read' | 'list' | 'action';

export type ResponseHeader = 'Location' | 'Retry-After' | 'Idempotency-Status' | 'Preference-Applied';

/** One HTTP endpoint: what the service does, and what the OpenAPI document says that it does. */
export interface Operation {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With parameters in braces: `/v1/transfers/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly permission: string;
  readonly cost: Cost;
  /** The process it belongs to, for metrics. */
  readonly process?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Whether `Prefer: wait` is understood. */
  readonly canWait?: boolean;
  /** Whether the `Idempotency-Key` header is needed, understood, or refused with this sentence. Elsewhere it is ignored. */
  readonly idempotencyKey?: 'required' | 'optional' | { readonly refused: string };
  readonly responses: Readonly<
    Record<
      number,
      { readonly description: string; readonly body: z.ZodType; readonly headers?: readonly ResponseHeader[] }
    >
  >;
  /** The problems of this operation beyond those every operation can have. */
  readonly problems: readonly ProblemCode[];
  readonly handle: (call: Call, services: Services) => Promise<Answer>;
}

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
