import { status as grpcStatus } from '@grpc/grpc-js';
import type { UnaryOptions } from './transport/unary.ts';

/** Retries that are allowed for one attempt that succeeded. */
const share = 0.1;

/** Retries a second that are allowed whatever succeeds, so that a service with few calls retries too. */
const leastPerSecond = 10;

/** Retries at once at most, after a time without any. */
const reserve = 100;

const ok: number = grpcStatus.OK;

/**
 * The same options, as long as the retries of all calls together stay below a tenth of what succeeds, and ten a second.
 * While nothing succeeds, retries add next to nothing to the load of a server that is in trouble.
 *
 * Source: Finagle's RetryBudget, https://finagle.github.io/blog/2016/02/08/retry-budgets
 */
export function withinRetryBudget<Options extends Pick<UnaryOptions, 'isRetryable' | 'observe'>>(
  options: Options,
  nowMs: () => number = () => performance.now(),
): Options {
  let allowed = reserve;
  let countedAtMs = nowMs();

  function spend(): boolean {
    const now = nowMs();
    allowed = Math.min(reserve, allowed + ((now - countedAtMs) / 1_000) * leastPerSecond);
    countedAtMs = now;
    if (allowed < 1) return false;
    allowed -= 1;
    return true;
  }

  return {
    ...options,
    isRetryable: (failure) => options.isRetryable(failure) && spend(),
    observe(path, code, seconds) {
      if (code === ok) allowed = Math.min(reserve, allowed + share);
      options.observe(path, code, seconds);
    },
  };
}
