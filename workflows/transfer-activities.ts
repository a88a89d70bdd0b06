import { proxyActivities } from '@temporalio/workflow';
import type { FailureType } from '../activities/failures.ts';
import type { createTransferActivities } from '../activities/transfers.ts';

// A timeout stops no code: the ledger's rows, not these seconds, keep a late attempt from moving money.
const money = {
  startToCloseTimeout: '10s',
  // Anything less may call an activity cancelled that has moved the money.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
} as const;

export type Activities = ReturnType<typeof createTransferActivities>;

/** Gives up where no retry can help. What passes by itself (a database that is away) is retried for ever. */
export const cautious = proxyActivities<Activities>({
  ...money,
  retry: { ...money.retry, nonRetryableErrorTypes: ['unexpected', 'blocked'] satisfies FailureType[] },
});

/** Never gives up: until it is through, waiting is right and going on would not be. */
export const persistent = proxyActivities<Activities>(money);
