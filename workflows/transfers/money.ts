import { proxyActivities } from '@temporalio/workflow';
import type { FailureType } from '../../activities/failures.ts';
import type { createTransferActivities } from '../../activities/transfers.ts';

export type Activities = ReturnType<typeof createTransferActivities>;

// A timeout stops no code: the ledger's rows, not these seconds, keep a late attempt from moving money.
const money = {
  startToCloseTimeout: '10s',
  // Other cancellation types may call an activity cancelled that has moved the money.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
} as const;

/** Fails where no retry can help. A failure that passes by itself, such as a lost database, is retried for ever. */
export const cautious = proxyActivities<Activities>({
  ...money,
  retry: { ...money.retry, nonRetryableErrorTypes: ['unexpected', 'blocked'] satisfies FailureType[] },
});

/** Retries every failure for ever: these steps must succeed before the transfer may go on. */
export const persistent = proxyActivities<Activities>(money);
