import type { FastifyInstance } from 'fastify';
import { type Cost, perItem } from '../operations/operation.ts';
import type { Gate } from '../overload/gate.ts';

/** The permission of a route that anybody may use. */
export const publicPermission = 'public';

/** The permission of a route for whoever has a valid token, whatever it grants. */
export const anyPermission = 'any';

declare module 'fastify' {
  /** What every route declares in `config`. The app does not start if one of the first three is missing. */
  interface FastifyContextConfig {
    /** Its name in the OpenAPI document, in logs and metrics. */
    readonly operationId?: string;
    /**
     * What a token must grant, such as `transfers:start`, or {@link publicPermission}, {@link anyPermission}; {@link perItem}
     * where it takes items.
     */
    readonly permission?: string;
    /** What it uses up: rate limits, deadlines and shedding go by it. */
    readonly cost?: Cost;
    /** The process it belongs to, if it belongs to one. */
    readonly process?: string;
    /** What its requests pass before they call Temporal or the database; not given where they do neither. */
    readonly gate?: Gate;
    /** Set where each of its requests is made of items, which are limited and permitted one by one. */
    readonly takesItems?: boolean;
  }
}

/** Throws at boot for a route, a HEAD route too, that does not declare what the app needs to guard it. */
export function guardRoutes(app: FastifyInstance): void {
  app.addHook('onRoute', ({ config = {}, method, url }) => {
    const { operationId, permission, cost, takesItems = false } = config;
    if (operationId === undefined || permission === undefined || permission === '' || cost === undefined) {
      throw new Error(`the route ${[method].flat().join(', ')} ${url} declares no operationId, permission or cost`);
    }
    if (takesItems !== (permission === perItem)) {
      throw new Error(
        `the route ${[method].flat().join(', ')} ${url} must not declare ${perItem} unless it takes items`,
      );
    }
  });
}
