import type { Envelope } from '../src/catalog/envelope.ts';
import type { UserGrantInput, UserGrantOutput } from '../src/catalog/user-grants.ts';

export async function userGrants({ input }: Envelope<UserGrantInput>): Promise<UserGrantOutput> {
  await Promise.resolve();
  return { outcome: 'completed', userId: input.userId, messages: [], discounts: [] };
}
