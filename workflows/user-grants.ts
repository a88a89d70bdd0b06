import { isCancellation, patched, proxyActivities } from '@temporalio/workflow';
import type { createUserGrantActivities } from '../activities/user-grants.ts';
import type { UserGrantInput, UserGrantOutput } from '../src/catalog/user-grants.ts';
import type { Envelope } from '../src/definition/envelope.ts';
import { isAdult } from './coming-of-age.ts';
import { endWith, enterStep } from './instance/steps.ts';

// Effects are idempotent, so every failure is retried until it passes; cancel ends the wait.
const { sendMessage, grantDiscount } = proxyActivities<ReturnType<typeof createUserGrantActivities>>({
  startToCloseTimeout: '10s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
});

/**
 * Welcomes a user: a push message, what adults get, then a discount. What was given before a cancel stays given.
 */
export async function userGrants({ input, context }: Envelope<UserGrantInput>): Promise<UserGrantOutput> {
  const { userId, name, birthDate, locale } = input;
  const user = { tenant: context.tenant, userId, generation: context.generation };
  const messages: string[] = [];
  const discounts: string[] = [];
  try {
    await sendMessage({ ...user, kind: 'welcome', name, locale });
    messages.push('welcome');

    // Instances that had passed this point before the step was added go on without it.
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
    if (!isCancellation(error)) throw error;
    return endWith({ outcome: 'cancelled', userId });
  }
  return endWith({ outcome: 'completed', userId, messages, discounts });
}

// The clock of a workflow stands still in each of its tasks and shows the same at replay.
const today = (): string => new Date().toISOString().slice(0, 10);
