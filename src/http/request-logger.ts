import type { FastifyBaseLogger } from 'fastify';

type Bindings = Parameters<FastifyBaseLogger['child']>[0];

/** The parent of a logger that is not made yet, and what the logger says of itself in each line. */
interface Unmade {
  readonly parent: FastifyBaseLogger;
  readonly bindings: Bindings;
  made?: FastifyBaseLogger;
}

const made = (unmade: Unmade): FastifyBaseLogger => (unmade.made ??= unmade.parent.child(unmade.bindings));

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const prototype = Object.fromEntries(
  levels.map((level) => [
    level,
    function (this: Unmade, ...line: Parameters<FastifyBaseLogger['info']>): void {
      made(this)[level](...line);
    },
  ]),
);
Object.defineProperties(prototype, {
  level: {
    get(this: Unmade) {
      return made(this).level;
    },
  },
  child: {
    value(this: Unmade, ...options: Parameters<FastifyBaseLogger['child']>) {
      return made(this).child(...options);
    },
  },
});

/** A child of a logger that is made when somebody writes with it. Most requests write one line, and that one without it. */
export const lazyChildOf = (parent: FastifyBaseLogger, bindings: Bindings): FastifyBaseLogger =>
  Object.assign(Object.create(prototype) as object, { parent, bindings }) as unknown as FastifyBaseLogger;
