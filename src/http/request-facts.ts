import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Cost } from '../operations/operation.ts';
import type { ProblemCode } from '../problems.ts';
import type { Principal } from '../tokens/authentication.ts';

/** What is known of a request beside what it says itself. Each fact is set once, by whoever finds it out. */
export interface RequestFacts {
  /** What the caller sent as `X-Request-Id` if that is harmless in a log, else a new id. */
  readonly id: string;
  /** Who asks, as soon as the token was found valid. */
  principal: Principal | undefined;
  /** The code of the problem that the request ended in. */
  problem: ProblemCode | undefined;
  /** The instance that the request is about, where its address does not name it. */
  instance: string | undefined;
  /** True once the answer is a stream. A caller ends most streams by leaving. */
  isStream: boolean;
  /** Counts one item of that cost for whoever asks, where the route takes items. Throws `rate-limited`. */
  limitItem: ((cost: Cost) => void) | undefined;
  /** How many items were answered with which status, where the route takes items. */
  itemStatuses: Map<number, number> | undefined;
  /** What {@link routeOf} gives. */
  route: FastifyRequest['routeOptions'] | undefined;
}

const known = Symbol('facts');

/** The facts of a request, also of one that never reached the router. They begin with the id. */
export const factsOf = (request: IncomingMessage & { [known]?: RequestFacts }): RequestFacts =>
  (request[known] ??= {
    id: idOf(request),
    principal: undefined,
    problem: undefined,
    instance: undefined,
    isStream: false,
    limitItem: undefined,
    itemStatuses: undefined,
    route: undefined,
  });

/** The route that serves a request. Fastify makes a new description each time it is asked. */
export function routeOf(request: FastifyRequest): FastifyRequest['routeOptions'] {
  const facts = factsOf(request.raw);
  return (facts.route ??= request.routeOptions);
}

function idOf({ headers }: IncomingMessage): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(sent) ? sent : randomUUID();
}
