import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { createUserGrantActivities } from '../../activities/user-grants.ts';
import type { Envelope } from '../../src/catalog/envelope.ts';
import type { UserGrantInput, UserGrantOutput } from '../../src/catalog/user-grants.ts';
import { endWith, enterStep } from '../../workflows/instance.ts';

/** The first implementation: the one that is released. */
export { userGrants } from '../../workflows/user-grants.ts';

const { sendMessage, grantDiscount } = proxyActivities<ReturnType<typeof createUserGrantActivities>>({
  startToCloseTimeout: '10s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
});

/** A second implementation of the same contract, which grants before it congratulates. */
export async function userGrantsDiscountFirst({ input, context }: Envelope<UserGrantInput>): Promise<UserGrantOutput> {
  const { userId, name, locale } = input;
  const user = { tenant: context.tenant, userId, generation: context.generation };
  try {
    enterStep('granting');
    await grantDiscount({ ...user, kind: 'welcome' });
    enterStep('congratulating');
    await sendMessage({ ...user, kind: 'welcome', name, locale });
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return endWith({ outcome: 'cancelled', userId });
  }
  return endWith({ outcome: 'completed', userId, messages: ['welcome'], discounts: ['welcome'] });
}
