import { status as grpcStatus, type StatusObject } from '@grpc/grpc-js';

/** Retries that are allowed for one call that succeeded. */
const share = 0.1;

/** Retries a second that are allowed whatever succeeds, so that a service with few calls retries too. */
const leastPerSecond = 10;

/** Retries at once at most, after a time without any. */
const reserve = 100;

/** Whether a call is tried again, by the number of its attempt and how that ended. Asked at the end of each attempt. */
type RetryDecider = (attempt: number, status: StatusObject) => boolean;

/**
 * The same decider, as long as the retries of all calls together stay below a tenth of the calls that succeed, and ten a
 * second. While nothing succeeds, retries add next to nothing to the load of a server that is in trouble.
 *
 * Source: Finagle's RetryBudget, https://finagle.github.io/blog/2016/02/08/retry-budgets
 */
export function withinRetryBudget(decide: RetryDecider, nowMs: () => number = () => performance.now()): RetryDecider {
  let allowed = reserve;
  let countedAtMs = nowMs();
  return (attempt, status) => {
    if (status.code === grpcStatus.OK) {
      allowed = Math.min(reserve, allowed + share);
      return false;
    }
    if (!decide(attempt, status)) return false;
    const now = nowMs();
    allowed = Math.min(reserve, allowed + ((now - countedAtMs) / 1_000) * leastPerSecond);
    countedAtMs = now;
    if (allowed < 1) return false;
    allowed -= 1;
    return true;
  };
}
