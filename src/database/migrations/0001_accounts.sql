-- Accounts and the double entries that fill them. All amounts are whole minor units.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are permanent', tg_table_name using errcode = 'restrict_violation';
end $$;

create table accounts (
  tenant text not null check (tenant <> ''),
  account_id text not null check (account_id <> ''),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  kind text not null check (kind in ('customer', 'clearing', 'equity', 'suspense')),
  -- Only customers' accounts cache their balance. The internal ones are in every posting: a balance kept there would be
  -- one row for which all transfers of a tenant wait. Theirs is the sum of their entries.
  balance_minor bigint check (balance_minor >= 0),
  opening_balance_minor bigint not null default 0 check (opening_balance_minor >= 0),
  frozen boolean not null default false,
  opened_at timestamptz not null default now(),
  primary key (tenant, account_id),
  unique (tenant, account_id, currency),
  check ((kind = 'customer') = (balance_minor is not null)),
  -- No caller can write a name with ~.
  check (case kind when 'customer' then account_id !~ '^~' else account_id = '~' || kind || ':' || currency end)
);

create trigger accounts_keep_their_identity
  before update of tenant, account_id, currency, kind, opening_balance_minor, opened_at on accounts
  for each statement execute function refuse_change();
create trigger accounts_stay before delete or truncate on accounts
  for each statement execute function refuse_change();

create table entries (
  tenant text not null,
  -- What happened: a posting is the set of entries that share it.
  posting_id text not null,
  account_id text not null,
  currency text not null,
  -- Positive is what the account receives.
  amount_minor bigint not null check (amount_minor <> 0),
  booked_at timestamptz not null default now(),
  -- A foreign key locks the row it points at, and the internal accounts are pointed at by every posting. So the key
  -- covers customers' accounts, and a check ties the internal names to their currency instead.
  customer_account_id text generated always as (case when account_id ~ '^~' then null else account_id end) stored,
  primary key (tenant, posting_id, account_id),
  foreign key (tenant, customer_account_id, currency) references accounts (tenant, account_id, currency),
  check (account_id !~ '^~' or account_id in ('~clearing:' || currency, '~equity:' || currency, '~suspense:' || currency))
);

create index entries_of_account on entries (tenant, account_id);

create trigger entries_stay before update or delete or truncate on entries
  for each statement execute function refuse_change();
revoke update, delete, truncate on entries from public;

create function check_posting_balances() returns trigger language plpgsql as $$
begin
  if exists (
    select 1 from entries e
    where e.tenant = new.tenant and e.posting_id = new.posting_id
    group by e.currency having sum(e.amount_minor) <> 0
  ) then
    raise exception 'a posting must sum to zero in each currency' using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger postings_balance after insert on entries
  deferrable initially deferred for each row execute function check_posting_balances();
