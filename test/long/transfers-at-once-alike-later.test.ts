import { afterAll, describe } from 'vitest';
import { testImplementation } from '../harness/transfers.ts';

// The tests of transfers by steps hold for this implementation as well: it takes the same steps where it cannot do all
// at once.
testImplementation('transfersAtOnce');
afterAll(() => testImplementation('transfers'));

describe.each([
  { tests: 'cancel while stuck', read: () => import('../workflows/transfers-cancel-stuck.test.ts') },
  { tests: 'lost rows', read: () => import('../workflows/transfers-lost-rows.test.ts') },
  { tests: 'operations', read: () => import('../workflows/transfers-operations.test.ts') },
  { tests: 'settlement', read: () => import('../workflows/transfers-settlement.test.ts') },
  { tests: 'stuck', read: () => import('../workflows/transfers-stuck.test.ts') },
])('as to $tests', async ({ read }) => {
  await read();
});
