import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freezing } from '../fixtures/stuck-transfers.ts';
import { aboveLimit, transferOf } from '../fixtures/transfers.ts';
import type { Reply, RequestOptions, Requests } from './caller.ts';
import { insist as insistOn } from './insist.ts';
import type { MoneyReport } from './money-report.ts';
import { unique } from './portico.ts';
import type { Random } from './random.ts';
import { until } from './until.ts';

/** For what has to wait for the end of an outage, however often that is repeated on a slow machine. */
const patientMs = 900_000;

/** The settings by which half of the transfers of a mix may be completed by one commit. */
export const mixedEnvironment = { PORTICO_TRANSFERS_AT_ONCE_SHARE: '0.5' };

/** Ways for a transfer to go, by what its caller and the accounts bring about. */
const kinds = ['plain', 'approved', 'refused', 'poor', 'cancelled', 'returned', 'settled'] as const;
type Kind = (typeof kinds)[number] | 'forgotten';

/** One transfer of a mix, and what its caller was told. */
interface Story {
  readonly id: string;
  readonly kind: Kind;
  readonly minor: number;
  readonly body: ReturnType<typeof transferOf>;
  cancel?: 'accepted' | 'refused';
  isSettled?: boolean;
}

interface MixOptions {
  readonly random: Random;
  readonly send: () => Requests | Promise<Requests>;
  readonly forget?: (transferId: string) => Promise<void>;
}

/** The answers that a transfer of each kind may end in, before what its caller was told is looked at. */
const endings: Record<Kind, readonly string[]> = {
  plain: ['completed'],
  approved: ['completed'],
  refused: ['compensated'],
  poor: ['rejected'],
  cancelled: ['cancelled', 'completed'],
  returned: ['compensated'],
  settled: ['settled', 'compensated'],
  forgotten: ['completed'],
};

/**
 * Transfers of all kinds, one of each among every seven or eight. Some complete, and some are cancelled or refused for
 * want of money. Frozen accounts make others return, or get stuck until they are settled. Most are sent again, also with
 * another payload.
 *
 * The database needs `letPaymentsFreeze`. `send` gives the requests of a process that may be asked now; a request without
 * an answer is repeated. Where `forget` makes Temporal forget an instance, another payload takes its id. The mix has
 * accounts of its own, in a tenant where nothing else is ever stuck.
 */
export function createMix({ random, send, forget }: MixOptions) {
  const stories: Story[] = [];
  const seen = { duplicates: 0, mismatches: 0, conflicts: 0, cancels: 0 };
  /** What had to be asked again, and why. */
  const retried: string[] = [];
  const allKinds: readonly Kind[] = forget === undefined ? kinds : [...kinds, 'forgotten'];
  const opening = { currency: 'EUR', openingBalance: { minor: '100000000' } };
  const [payer, payee, frozen] = [unique('payer'), unique('payee'), unique('frozen')] as const;
  let cancellations = 0;
  let turn: Kind[] = [];

  const insist = (ask: (requests: Requests) => Promise<Reply>): Promise<Reply> =>
    insistOn(
      async () => ask(await send()),
      (why) => retried.push(why),
    );

  const insistUntil = (ask: (requests: Requests) => Promise<Reply>, isDone: (reply: Reply) => boolean) =>
    until(() => insist(ask), isDone, { withinMs: patientMs });

  const act = (path: string, body: object, given?: RequestOptions) => insist(({ post }) => post(path, body, given));

  async function open(): Promise<void> {
    for (const id of [payer, payee, frozen]) await insist(({ put }) => put(`/v1/accounts/${id}`, opening));
    await act(`/v1/accounts/${frozen}/freeze`, {});
  }

  function newStory(): Story {
    if (turn.length === 0) turn = random.shuffled(allKinds);
    const kind = turn.pop() ?? 'plain';
    const id = unique(kind);
    const from = { poor: `poor-${id}`, returned: `${freezing}-${id}`, settled: `${freezing}-${id}` }[kind as string];
    const to = ['refused', 'returned', 'settled'].includes(kind) ? frozen : payee;
    if (kind === 'cancelled') cancellations += 1;
    // Every other cancel finds its transfer waiting for a second person, and is never too late.
    const isLarge = kind === 'approved' || (kind === 'cancelled' && cancellations % 2 === 1);
    const minor = isLarge ? Number(aboveLimit.minor) : random.between(1, 500);
    const story = { id, kind, minor, body: transferOf(id, { minor: String(minor), from: from ?? payer, to }) };
    stories.push(story);
    return story;
  }

  async function start(story: Story): Promise<void> {
    const { body, kind } = story;
    const { from } = body;
    const balance = kind === 'poor' ? '0' : '1000';
    if (from !== payer) {
      const account = { currency: 'EUR', openingBalance: { minor: balance } };
      await insist(({ put }) => put(`/v1/accounts/${from}`, account));
    }
    const first = await act('/v1/transfers', body);
    expect(first.status, JSON.stringify(first.body)).toBeLessThan(300);
    if (kind === 'cancelled') return;
    // An impatient relay repeats, and a wrong one uses the key again.
    const again = await act('/v1/transfers', body);
    expect(again.headers.get('idempotency-status')).not.toBe('created');
    expect(again.body.runId).toBe(first.body.runId);
    seen.duplicates += 1;
    const wrong = await act('/v1/transfers', { ...body, amount: { currency: 'EUR', minor: '777' } });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'idempotency-mismatch']);
    seen.mismatches += 1;
  }

  const pathOf = ({ id }: Story): string => `/v1/transfers/${id}`;

  async function reaches(story: Story, step: string): Promise<boolean> {
    const { body } = await insistUntil(
      ({ get }) => get(pathOf(story)),
      (shown) => shown.body.step === step || shown.body.status === 'closed',
    );
    return body.step === step;
  }

  async function cancel(story: Story): Promise<void> {
    await sleep(random.between(0, 80));
    const answer = await act(`${pathOf(story)}/cancel`, {}, { headers: { 'idempotency-key': 'cancel' } });
    if (answer.status >= 300) expect([409, answer.body.code]).toContain(answer.status);
    story.cancel = answer.status < 300 ? 'accepted' : 'refused';
    seen.cancels += 1;
  }

  async function approve(story: Story): Promise<void> {
    if (!(await reaches(story, 'awaiting-approval'))) return;
    const given = { subject: 'bob', headers: { 'idempotency-key': 'approve' } };
    const { status, body } = await act(`${pathOf(story)}/approve`, {}, given);
    expect(status, JSON.stringify(body)).toBeLessThan(300);
  }

  async function giveBack(story: Story): Promise<void> {
    if (!(await reaches(story, 'compensation-stuck'))) return;
    await act(`/v1/accounts/${story.body.from}/unfreeze`, {});
    await act(`${pathOf(story)}/resolve`, { how: 'retry' }, { headers: { 'idempotency-key': 'retry' } });
  }

  async function settle(story: Story): Promise<void> {
    if (!(await reaches(story, 'compensation-stuck'))) return;
    const body = { how: 'settle', note: 'paid out in cash' };
    const { status } = await act(`${pathOf(story)}/resolve`, body, { headers: { 'idempotency-key': 'settle' } });
    story.isSettled = status < 300;
  }

  async function conflict({ id, body }: Story): Promise<void> {
    await insistUntil(
      ({ get }) => get(`/v1/transfers/${id}`),
      (shown) => shown.body.status === 'closed',
    );
    await forget?.(id);
    const other = { ...body, amount: { currency: 'EUR', minor: '777' } };
    const { body: wrong } = await insistUntil(
      ({ post }) => post('/v1/transfers', other),
      (shown) => shown.status >= 300 || shown.body.status === 'closed',
    );
    expect(wrong, id).toMatchObject({ outcome: 'conflict' });
    const right = await act('/v1/transfers', body);
    expect([right.status, right.body.outcome], id).toEqual([200, 'completed']);
    seen.conflicts += 1;
  }

  const later: Partial<Record<Kind, (story: Story) => Promise<void>>> = {
    approved: approve,
    cancelled: cancel,
    forgotten: conflict,
    returned: giveBack,
    settled: settle,
  };

  /** Fails unless it ended as its kind may and as its caller was told. */
  function expectEnding({ id, kind, cancel: told, isSettled }: Story, outcome: string): void {
    expect(endings[kind], `${id}: ${outcome}`).toContain(outcome);
    if (told === 'accepted') expect(outcome, `${id}, whose cancel was accepted`).toBe('cancelled');
    if (told === 'refused') expect(outcome, `${id}, whose cancel was refused`).not.toBe('cancelled');
    if (isSettled === true) expect(outcome, `${id}, which was settled`).toBe('settled');
  }

  /** Begins one more transfer, and does to it what belongs to its kind. */
  async function add(): Promise<void> {
    const story = newStory();
    await start(story);
    await later[story.kind]?.(story);
  }

  return {
    seen,
    retried,
    open,

    /** The ids of its transfers so far. */
    ids: (): ReadonlySet<string> => new Set(stories.map(({ id }) => id)),

    /** Adds transfers, six at a time, until it is over, and so many at least. */
    async run({ atLeast, isOver }: { atLeast: number; isOver: () => boolean }): Promise<void> {
      const lane = async () => {
        while (stories.length < atLeast || !isOver()) await add();
      };
      await Promise.all(Array.from({ length: 6 }, lane));
    },

    /** Waits until all have ended, each as it must. Resolves with how often each outcome was met. */
    async outcomes(): Promise<Record<string, number>> {
      const counts: Record<string, number> = {};
      for (const story of stories) {
        const { body } = await insistUntil(
          ({ get }) => get(pathOf(story)),
          (shown) => shown.body.status === 'closed',
        );
        const outcome = body.outcome as string;
        expectEnding(story, outcome);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      return counts;
    },

    /** Fails unless the ledger says the same of each, and holds the money of these transfers and no other. */
    expectMoney({ findings, outcomes, balances }: MoneyReport): void {
      expect(findings).toEqual([]);
      const sum = { payee: 0n, suspense: 0n };
      for (const story of stories) {
        const outcome = outcomes.get(story.id) ?? 'none';
        expectEnding(story, outcome);
        if (outcome === 'completed') sum.payee += BigInt(story.minor);
        if (outcome === 'settled') sum.suspense += BigInt(story.minor);
      }
      expect(balances.get(payee)).toBe(BigInt(opening.openingBalance.minor) + sum.payee);
      expect(balances.get('~suspense:EUR') ?? 0n).toBe(sum.suspense);
      expect(balances.get('~clearing:EUR') ?? 0n).toBe(0n);
      expect(balances.get(frozen)).toBe(BigInt(opening.openingBalance.minor));
    },
  };
}
