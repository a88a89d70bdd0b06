import type pg from 'pg';

/** What a transfer's row and its money say, read without any code of the ledger. */
interface Audited {
  transfer_id: string;
  outcome: string | null;
  reserve: string | null;
  resolve: string | null;
  payer: string;
  clearing: string;
  payee: string;
  suspense: string;
  entries: string;
  amount: string;
}

/**
 * Looks for broken money on a connection of its own, in one snapshot, and answers a line for each thing that is wrong.
 * Holds at any moment, also while transfers run; with `atRest`, what must hold when none does.
 */
export async function audit(client: pg.Client, { atRest }: { atRest: boolean }): Promise<string[]> {
  await client.query('begin isolation level repeatable read read only');
  try {
    const findings: string[] = [];
    for (const [what, query] of checks) {
      const { rows } = await client.query<Record<string, unknown>>(query);
      findings.push(...rows.map((row) => `${what}: ${JSON.stringify(row)}`));
    }
    const { rows } = await client.query<Audited>(moneyOfTransfers);
    return [...findings, ...rows.flatMap((transfer) => findingsOf(transfer, atRest))];
  } finally {
    await client.query('rollback');
  }
}

function findingsOf(transfer: Audited, atRest: boolean): string[] {
  const { reserve, resolve, outcome, amount } = transfer;
  const state = resolve ?? (reserve === 'reserved' ? 'reserved' : 'untouched');
  const expected = {
    untouched: ['0', '0', '0', '0'],
    reserved: [`-${amount}`, amount, '0', '0'],
    posted: [`-${amount}`, '0', amount, '0'],
    refunded: ['0', '0', '0', '0'],
    settled: [`-${amount}`, '0', '0', amount],
  }[state];
  const actual = [transfer.payer, transfer.clearing, transfer.payee, transfer.suspense];
  const findings: string[] = [];
  if (actual.join() !== expected?.join())
    findings.push(`${transfer.transfer_id}: ${state}, but moved ${actual.join()}`);
  const entries = { untouched: '0', reserved: '2', posted: '4', refunded: '4', settled: '4' }[state];
  if (transfer.entries !== entries) findings.push(`${transfer.transfer_id}: ${state}, but ${transfer.entries} entries`);
  if (atRest && state === 'reserved') findings.push(`${transfer.transfer_id}: money is left in clearing`);
  if (outcome !== null && (outcome === 'completed') !== (resolve === 'posted'))
    findings.push(`${transfer.transfer_id}: ended ${outcome}, but ${state}`);
  return findings;
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

const checks = [
  ['a posting does not sum to zero', unbalancedPostings],
  ['the money of a currency is not constant', createdMoney],
  ['a cached balance differs from its entries', wrongBalances],
  ['a balance is negative', negativeBalances],
  ['a resolve row without a reserve', orphanResolves],
] as const;

const moneyOfTransfers = `
  select t.transfer_id, t.outcome, t.amount_minor::text as amount,
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
