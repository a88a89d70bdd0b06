import { TemporalFailure } from '@temporalio/common';
import { CancellationScope, isCancellation, patched, proxyActivities } from '@temporalio/workflow';
import type { createUserGrantActivities } from '../activities/user-grants.ts';
import type { UserGrantInput, UserGrantOutput } from '../src/catalog/user-grants.ts';
import type { Envelope } from '../src/definition/envelope.ts';
import { isAdult } from './coming-of-age.ts';
import { endWith, enterStep } from './instance/steps.ts';

// Every failure is retried until it passes, because effects are idempotent. A cancel ends the wait.
const { sendMessage, grantDiscount } = proxyActivities<ReturnType<typeof createUserGrantActivities>>({
  startToCloseTimeout: '10s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
});

/**
 * Welcomes a user: a push message, another message and a discount for adults, then the welcome discount. A cancel
 * takes nothing back; the result says what had been given.
 */
export async function userGrants({ input, context }: Envelope<UserGrantInput>): Promise<UserGrantOutput> {
  const { userId, name, birthDate, locale } = input;
  const user = { tenant: context.tenant, userId, generation: context.generation };
  const messages: string[] = [];
  const discounts: string[] = [];
  try {
    await sendMessage({ ...user, kind: 'welcome', name, locale });
    messages.push('welcome');

    // Instances that passed this point before the step was added do without it.
    const congratulatesAdults = patched('congratulate-adults');
    if (congratulatesAdults && birthDate !== undefined && isAdult(birthDate, today())) {
      enterStep('congratulating-adult');
      await sendMessage({ ...user, kind: 'adult', name, locale });
      messages.push('adult');
      await grantDiscount({ ...user, kind: 'adult' });
      discounts.push('adult');
    }

    enterStep('granting');
    await grantDiscount({ ...user, kind: 'welcome' });
    discounts.push('welcome');
  } catch (error) {
    if (!isEndedByCancel(error)) throw error;
    return endWith({ outcome: 'cancelled', userId, messages, discounts });
  }
  return endWith({ outcome: 'completed', userId, messages, discounts });
}

/** A cancel also ends the retries of an attempt that runs. Such an attempt fails by its own failure. */
const isEndedByCancel = (error: unknown): boolean =>
  isCancellation(error) || (error instanceof TemporalFailure && CancellationScope.current().consideredCancelled);

// `Date` in a workflow is deterministic: it shows the time of the current workflow task, also at replay.
const today = (): string => new Date().toISOString().slice(0, 10);
