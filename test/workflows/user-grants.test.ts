import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate, failFirst, loseFirstAnswer } from '../harness/adapter-calls.ts';
import { type Grants, openGrants } from '../harness/grants.ts';
import { temporalAddress } from '../servers/temporal.ts';

const adult = '1990-05-31';
const child = `${new Date().getUTCFullYear() - 10}-01-01`;
const welcome = { kind: 'welcome', percent: 10 };
let grants: Grants;

beforeAll(async () => {
  grants = await openGrants({ address: temporalAddress() });
});
afterAll(() => grants.close());

describe.concurrent('user-grants', () => {
  it('congratulates an adult twice and grants two discounts', async () => {
    const grant = await grants.begin({ birthDate: adult });
    expect(await grant.result()).toEqual({
      outcome: 'completed',
      userId: grant.userId,
      messages: ['welcome', 'adult'],
      discounts: ['adult', 'welcome'],
    });
    expect(await grant.effects()).toMatchObject({
      messages: ['welcome', 'adult'],
      discounts: [{ kind: 'adult', percent: 5 }, welcome],
    });
    expect(await grant.stepsOfHistory()).toEqual(['congratulating-adult', 'granting']);
    expect(await grant.read()).toEqual({ status: 'COMPLETED', step: 'granting', outcome: 'completed' });
  });

  it.each([
    ['a child', { birthDate: child }],
    ['a user of unknown age', {}],
  ])('congratulates %s once and grants one discount', async (_, options) => {
    const grant = await grants.begin(options);
    expect(await grant.result()).toMatchObject({ messages: ['welcome'], discounts: ['welcome'] });
    expect(await grant.effects()).toMatchObject({ messages: ['welcome'], discounts: [welcome] });
  });

  it('speaks the language of the user', async () => {
    const grant = await grants.begin({ locale: 'de-AT' });
    await grant.result();
    expect((await grant.effects()).titles).toEqual(['Willkommen, Ada!']);
  });

  it.each([
    ['their database is away twice', failFirst(2)],
    ['their first answer is lost', loseFirstAnswer],
  ])('gives each effect once where %s', async (_, calls) => {
    const grant = await grants.begin({
      birthDate: adult,
      calls: { sendMessage: calls, grantDiscount: calls },
    });
    await grant.result();
    expect(await grant.effects()).toMatchObject({
      messages: ['welcome', 'adult'],
      discounts: [{ kind: 'adult' }, { kind: 'welcome' }],
    });
  });

  it('gives nothing again after Temporal has forgotten the user', async () => {
    const first = await grants.begin();
    const result = await first.result();
    const again = await grants.begin({ after: first });
    expect(await again.result()).toEqual(result);
    expect(await again.effects()).toMatchObject({ messages: ['welcome'], discounts: [welcome] });
  });

  it('gives everything again in another generation', async () => {
    const first = await grants.begin();
    await first.result();
    const again = await grants.begin({ after: first, generation: 2 });
    await again.result();
    expect((await again.effects()).messages).toEqual(['welcome', 'welcome']);
  });

  it('ends cancelled, and keeps what was given before', async () => {
    const grant = await grants.begin({ calls: { grantDiscount: failFirst(Infinity) } });
    await grant.reaches('granting');
    await grant.handle.cancel();
    expect(await grant.result()).toEqual({
      outcome: 'cancelled',
      userId: grant.userId,
      messages: ['welcome'],
      discounts: [],
    });
    expect(await grant.effects()).toMatchObject({ messages: ['welcome'], discounts: [] });
    expect(await grant.read()).toMatchObject({ status: 'COMPLETED', outcome: 'cancelled' });
  });

  it('ends cancelled where the cancel meets an attempt that then fails', async () => {
    const gate = createGate({ at: 'entry' });
    const grant = await grants.begin({
      birthDate: adult,
      calls: { grantDiscount: (proceed, attempt) => gate.hold(() => failFirst(1)(proceed, attempt), attempt) },
    });
    await gate.reached;
    await grant.handle.cancel();
    await grant.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    expect(await grant.result()).toEqual({
      outcome: 'cancelled',
      userId: grant.userId,
      messages: ['welcome', 'adult'],
      discounts: [],
    });
    expect(await grant.read()).toMatchObject({ status: 'COMPLETED', outcome: 'cancelled' });
  });

  it('completes where the cancel comes after the last effect', async () => {
    const gate = createGate({ at: 'exit' });
    const grant = await grants.begin({ calls: { grantDiscount: gate.hold } });
    await gate.reached;
    await grant.handle.cancel();
    await grant.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    expect(await grant.result()).toMatchObject({ outcome: 'completed' });
  });
});
