import type pg from 'pg';

/** Where reserved money is, or went. */
type ReservedState = 'reserved' | 'posted' | 'refunded' | 'settled';

/** What a transfer's row and its money say, read without any code of the ledger. */
interface Audited {
  transfer_id: string;
  outcome: string | null;
  reserve: string | null;
  resolve: Exclude<ReservedState, 'reserved'> | null;
  payer: string;
  clearing: string;
  payee: string;
  suspense: string;
  entries: string;
  amount: string;
  is_unapproved: boolean;
}

/**
 * Looks for broken money on a connection of its own, in one snapshot, and answers a line for each thing that is wrong.
 * Holds at any moment, also while transfers run; with `atRest`, what must hold when none does.
 */
export const audit = (client: pg.Client, { atRest }: { atRest: boolean }): Promise<string[]> =>
  inSnapshot(client, () => findBrokenMoney(client, { atRest }));

/** Lets `work` read the database as it stands at one moment, whatever is written meanwhile. */
export async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin isolation level repeatable read read only');
  try {
    return await work();
  } finally {
    await client.query('rollback');
  }
}

/** As {@link audit}, in the snapshot of its caller. */
export async function findBrokenMoney(client: pg.Client, { atRest }: { atRest: boolean }): Promise<string[]> {
  const findings: string[] = [];
  for (const [what, query] of checks) {
    const { rows } = await client.query<Record<string, unknown>>(query);
    findings.push(...rows.map((row) => `${what}: ${JSON.stringify(row)}`));
  }
  const { rows } = await client.query<Audited>(moneyOfTransfers);
  return [...findings, ...rows.flatMap((transfer) => findingsOf(transfer, atRest))];
}

function findingsOf(transfer: Audited, atRest: boolean): string[] {
  const { reserve, resolve, outcome, amount } = transfer;
  const state = resolve ?? (reserve === 'reserved' ? reserve : 'untouched');
  const expected = {
    untouched: ['0', '0', '0', '0'],
    reserved: [`-${amount}`, amount, '0', '0'],
    posted: [`-${amount}`, '0', amount, '0'],
    refunded: ['0', '0', '0', '0'],
    settled: [`-${amount}`, '0', '0', amount],
  }[state];
  const actual = [transfer.payer, transfer.clearing, transfer.payee, transfer.suspense];
  const findings: string[] = [];
  if (actual.join() !== expected.join()) findings.push(`${transfer.transfer_id}: ${state}, but moved ${actual.join()}`);
  const entries = { untouched: '0', reserved: '2', posted: '4', refunded: '4', settled: '4' }[state];
  if (transfer.entries !== entries) findings.push(`${transfer.transfer_id}: ${state}, but ${transfer.entries} entries`);
  if (atRest && state === 'reserved') findings.push(`${transfer.transfer_id}: money is left in clearing`);
  if (outcome !== null && !endsFor(state).includes(outcome))
    findings.push(`${transfer.transfer_id}: ended ${outcome}, but ${state}`);
  if (transfer.is_unapproved && (reserve === 'reserved' || outcome === 'completed'))
    findings.push(`${transfer.transfer_id}: ${outcome ?? 'open'} and ${state}, but nobody approved`);
  return findings;
}

/** The outcomes that are true of money in a state. */
function endsFor(state: 'untouched' | ReservedState): readonly string[] {
  switch (state) {
    case 'posted':
      return ['completed'];
    case 'settled':
      return ['settled'];
    case 'reserved':
      return [];
    case 'refunded':
      return ['compensated', 'cancelled'];
    case 'untouched':
      return ['compensated', 'cancelled', 'rejected', 'expired'];
  }
}

const unbalancedPostings = `
  select tenant, posting_id, currency from entries group by tenant, posting_id, currency having sum(amount_minor) <> 0`;

const createdMoney = `
  select tenant, currency from entries group by tenant, currency having sum(amount_minor) <> 0`;

const wrongBalances = `
  select a.tenant, a.account_id from accounts a left join entries e using (tenant, account_id)
  where a.kind = 'customer'
  group by a.tenant, a.account_id, a.balance_minor having a.balance_minor <> coalesce(sum(e.amount_minor), 0)`;

const orphanResolves = `
  select s.tenant, s.transfer_id from transfer_phases s where s.phase = 'resolve' and not exists (
    select 1 from transfer_phases r where r.tenant = s.tenant and r.transfer_id = s.transfer_id
      and r.phase = 'reserve' and r.outcome = 'reserved')`;

const negativeBalances = 'select tenant, account_id from accounts where balance_minor < 0';

const strayClearing = `
  with expected as (
    select t.tenant, t.currency, sum(t.amount_minor) as sum
    from transfers t
    join transfer_phases a on (a.tenant, a.transfer_id, a.phase, a.outcome) = (t.tenant, t.transfer_id, 'reserve', 'reserved')
    where not exists (
      select from transfer_phases b where (b.tenant, b.transfer_id, b.phase) = (t.tenant, t.transfer_id, 'resolve'))
    group by t.tenant, t.currency
  ), actual as (
    select tenant, currency, sum(amount_minor) as sum from entries
    where account_id = '~clearing:' || currency group by tenant, currency
  )
  select tenant, currency, coalesce(actual.sum, 0)::text as has, coalesce(expected.sum, 0)::text as should_have
  from actual full join expected using (tenant, currency)
  where coalesce(actual.sum, 0) <> coalesce(expected.sum, 0)`;

const strayPostings = `
  with postings as (
    select tenant, posting_id, regexp_match(posting_id, '^(transfer|account)/(.+)/([a-z]+)$') as name,
      max(amount_minor) as amount, min(account_id) filter (where amount_minor < 0) as giver,
      min(account_id) filter (where amount_minor > 0) as taker
    from entries group by tenant, posting_id
  )
  select p.tenant, p.posting_id
  from postings p
  left join transfers t on p.name[1] = 'transfer' and (t.tenant, t.transfer_id) = (p.tenant, p.name[2])
  left join transfer_phases h on (h.tenant, h.transfer_id) = (t.tenant, t.transfer_id)
    and h.phase = case p.name[3] when 'release' then 'resolve' else p.name[3] end
  left join accounts a on p.name[1] = 'account' and a.kind = 'customer' and (a.tenant, a.account_id) = (p.tenant, p.name[2])
  where case p.name[1] || '/' || p.name[3]
    when 'transfer/reserve' then h.outcome = 'reserved'
    when 'transfer/resolve' then h.outcome is not null
    when 'transfer/release' then h.outcome = 'settled' and p.amount = t.amount_minor
      and p.giver = '~suspense:' || t.currency and p.taker !~ '^~'
    when 'account/opening' then p.amount = a.opening_balance_minor
      and p.giver = '~equity:' || a.currency and p.taker = a.account_id
  end is not true`;

const unpostedOpenings = `
  select a.tenant, a.account_id from accounts a where a.opening_balance_minor <> 0 and not exists (
    select from entries e where (e.tenant, e.posting_id) = (a.tenant, 'account/' || a.account_id || '/opening'))`;

// An account that was frozen before freezes were kept has no row.
const strayFreezes = `
  select a.tenant, a.account_id from accounts a join lateral (
    select frozen from account_freezes f where (f.tenant, f.account_id) = (a.tenant, a.account_id)
    order by position desc limit 1) f on f.frozen <> a.frozen`;

const checks = [
  ['a posting does not sum to zero', unbalancedPostings],
  ['the money of a currency is not constant', createdMoney],
  ['a cached balance differs from its entries', wrongBalances],
  ['a balance is negative', negativeBalances],
  ['a resolve row without a reserve', orphanResolves],
  ['clearing has other money than that of its transfers', strayClearing],
  ['a posting belongs to nothing', strayPostings],
  ['an opening balance has no posting', unpostedOpenings],
  ['an account is frozen otherwise than its newest row says', strayFreezes],
] as const;

const moneyOfTransfers = `
  select t.transfer_id, t.outcome, t.amount_minor::text as amount,
    t.approval_required and t.approved_at is null as is_unapproved,
    (select outcome from transfer_phases p where (p.tenant, p.transfer_id, p.phase) = (t.tenant, t.transfer_id, 'reserve')) as reserve,
    (select outcome from transfer_phases p where (p.tenant, p.transfer_id, p.phase) = (t.tenant, t.transfer_id, 'resolve')) as resolve,
    coalesce(sum(e.amount_minor) filter (where e.account_id = t.payer_id), 0)::text as payer,
    coalesce(sum(e.amount_minor) filter (where e.account_id like '~clearing:%'), 0)::text as clearing,
    coalesce(sum(e.amount_minor) filter (where e.account_id = t.payee_id), 0)::text as payee,
    coalesce(sum(e.amount_minor) filter (where e.account_id like '~suspense:%'), 0)::text as suspense,
    count(e.*)::text as entries
  from transfers t
  left join entries e on e.tenant = t.tenant
    and e.posting_id in ('transfer/' || t.transfer_id || '/reserve', 'transfer/' || t.transfer_id || '/resolve')
  group by t.tenant, t.transfer_id`;
