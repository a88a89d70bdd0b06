import { afterAll, describe } from 'vitest';
import { testImplementation } from '../harness/transfers.ts';

// The tests of transfers by steps hold for this implementation as well: it takes the same steps where it cannot do all
// at once.
testImplementation('transfersAtOnce');
afterAll(() => testImplementation('transfers'));

describe.each([
  { tests: 'approval', read: () => import('../workflows/transfers-approval.test.ts') },
  { tests: 'cancel', read: () => import('../workflows/transfers-cancel.test.ts') },
  { tests: 'faults', read: () => import('../workflows/transfers-faults.test.ts') },
  { tests: 'outcomes', read: () => import('../workflows/transfers-outcomes.test.ts') },
  { tests: 'reset', read: () => import('../workflows/transfers-reset.test.ts') },
  { tests: 'retries', read: () => import('../workflows/transfers-retries.test.ts') },
])('as to $tests', async ({ read }) => {
  await read();
});
