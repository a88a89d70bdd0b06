import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInbox, type Inbox } from '../../src/adapters/inbox.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../servers/database.ts';

describe.each(databaseKinds)('the inbox on %s', (kind) => {
  let test: TestDatabase;
  let inbox: Inbox;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    inbox = createInbox(test.database);
  });
  afterAll(() => test.close());

  const message = (facts: object = {}) => ({
    tenant: randomUUID(),
    userId: 'alice',
    generation: 1,
    kind: 'welcome',
    title: 'Welcome',
    body: 'Good to have you.',
    ...facts,
  });

  it('creates one message for sixty-four equal requests at once', async () => {
    const welcome = message();
    const sent = await Promise.all(Array.from({ length: 64 }, () => inbox.sendMessage(welcome)));
    expect(sent.filter((each) => each.kind === 'created')).toHaveLength(1);
    const { items, next } = await inbox.listMessages({ ...welcome, limit: 10 });
    expect(items).toEqual([
      { generation: 1, kind: 'welcome', title: 'Welcome', body: 'Good to have you.', sentAt: expect.any(Date) as Date },
    ]);
    expect(next).toBeUndefined();
  });

  it('creates one discount for sixty-four equal requests at once', async () => {
    const adult = { ...message(), kind: 'adult', percent: 10 };
    const granted = await Promise.all(Array.from({ length: 64 }, () => inbox.grantDiscount(adult)));
    expect(granted.filter((each) => each.kind === 'created')).toHaveLength(1);
    expect((await inbox.listDiscounts({ ...adult, limit: 10 })).items).toEqual([
      { generation: 1, kind: 'adult', percent: 10, grantedAt: expect.any(Date) as Date },
    ]);
  });

  it('keeps what was sent first when the same effect comes with another text', async () => {
    const welcome = message();
    await inbox.sendMessage(welcome);
    expect(await inbox.sendMessage({ ...welcome, title: 'Hello' })).toEqual({ kind: 'replayed' });
    expect((await inbox.listMessages({ ...welcome, limit: 10 })).items[0]?.title).toBe('Welcome');
  });

  it.each([{ tenant: randomUUID() }, { userId: 'bob' }, { generation: 2 }, { kind: 'birthday' }])(
    'takes another effect for another one: %o',
    async (other) => {
      const welcome = message();
      await inbox.sendMessage(welcome);
      expect(await inbox.sendMessage({ ...welcome, ...other })).toEqual({ kind: 'created' });
    },
  );

  it('pages through the list, newest last, each item once, with items added meanwhile', async () => {
    const owner = message();
    const send = (n: number) => inbox.sendMessage({ ...owner, kind: `k${n}` });
    for (const n of [1, 2, 3, 4, 5]) await send(n);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await inbox.listMessages({ ...owner, limit: 2, after });
      seen.push(...page.items.map((item) => item.kind));
      if (after === undefined) await send(6);
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(['k1', 'k2', 'k3', 'k4', 'k5', 'k6']);
  });

  it('shows nobody what belongs to another user or tenant', async () => {
    const welcome = message();
    await inbox.sendMessage(welcome);
    expect((await inbox.listMessages({ ...welcome, userId: 'bob', limit: 10 })).items).toEqual([]);
    expect((await inbox.listMessages({ ...welcome, tenant: randomUUID(), limit: 10 })).items).toEqual([]);
  });

  it.each(['', 'x', '-1', '1; drop table messages', '9'.repeat(19)])('refuses the cursor %j', async (after) => {
    const request = { ...message(), limit: 10, after };
    await expect(inbox.listMessages(request)).rejects.toMatchObject({ code: 'invalid-cursor' });
    await expect(inbox.listDiscounts(request)).rejects.toMatchObject({ code: 'invalid-cursor' });
  });
});
