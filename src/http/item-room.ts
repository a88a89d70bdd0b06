import { Problem } from '../problems.ts';
import type { Guard } from './guards.ts';
import { routeOf } from './request-facts.ts';

/** In bytes, how long the bodies of all requests that are made of items may be together. */
const maxBytes = 32 * 1_024 * 1_024;

/**
 * The guard that throws `overloaded` where bodies of items would take too much memory together, from their head until they
 * are answered. A body that does not say how long it is counts as one of the greatest length.
 */
export function limitItemBodies(): Guard {
  let taken = 0;
  return (request, { raw }) => {
    const { config, bodyLimit } = routeOf(request);
    if (config.takesItems !== true || raw.destroyed) return;
    const announced = Math.min(Number(request.headers['content-length'] ?? bodyLimit), bodyLimit);
    if (taken + announced > maxBytes) throw new Problem('overloaded');
    taken += announced;
    raw.once('close', () => (taken -= announced));
  };
}
