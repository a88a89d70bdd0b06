import type { Problem } from '../problems.ts';

/** The `application/problem+json` body. `instance` is the path of the request that met the problem. */
export function problemBodyOf(problem: Problem, instance: string) {
  const { kind, code, options } = problem;
  const retryAfterMs = options.retryAfterMs ?? kind.retryAfterMs;
  return {
    type: `urn:portico:problem:${code}`,
    title: kind.title,
    status: kind.status,
    ...(options.detail === undefined ? {} : { detail: options.detail }),
    instance,
    code,
    ...(options.errors === undefined ? {} : { errors: options.errors }),
    retryable: kind.retryable,
    effect: options.effect ?? kind.effect,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
