import { afterAll, beforeAll, expect, it } from 'vitest';
import { createUserGrantActivities } from '../../activities/user-grants.ts';
import { createInbox } from '../../src/adapters/inbox.ts';
import { openTestDatabase, type TestDatabase } from '../servers/database.ts';

const user = { tenant: 'acme', userId: 'ada', generation: 1 };
let storage: TestDatabase;

beforeAll(async () => {
  storage = await openTestDatabase('embedded');
});
afterAll(() => storage.close());

it('leaves one effect of each kind after 64 attempts at once', async () => {
  const inbox = createInbox(storage.database);
  const { sendMessage, grantDiscount } = createUserGrantActivities({ inbox });
  const attempts = Array.from({ length: 64 }, async () => [
    await sendMessage({ ...user, kind: 'welcome', name: 'Ada' }),
    await grantDiscount({ ...user, kind: 'adult' }),
  ]);
  const answers = (await Promise.all(attempts)).flat();
  expect(answers.filter(({ kind }) => kind === 'created')).toHaveLength(2);

  const page = { ...user, limit: 100 };
  expect((await inbox.listMessages(page)).items).toMatchObject([{ kind: 'welcome', title: 'Welcome, Ada!' }]);
  expect((await inbox.listDiscounts(page)).items).toMatchObject([{ kind: 'adult', percent: 5 }]);
});
