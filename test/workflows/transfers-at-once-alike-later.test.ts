import { afterAll, describe } from 'vitest';
import { testImplementation } from '../harness/transfers.ts';

// The tests of transfers by steps hold for this implementation as well: it takes the same steps where it cannot do all
// at once.
testImplementation('transfersAtOnce');
afterAll(() => testImplementation('transfers'));

describe.each([
  { tests: 'cancel while stuck', read: () => import('./transfers-cancel-stuck.test.ts') },
  { tests: 'lost rows', read: () => import('./transfers-lost-rows.test.ts') },
  { tests: 'operations', read: () => import('./transfers-operations.test.ts') },
  { tests: 'settlement', read: () => import('./transfers-settlement.test.ts') },
  { tests: 'stuck', read: () => import('./transfers-stuck.test.ts') },
])('as to $tests', async ({ read }) => {
  await read();
});
