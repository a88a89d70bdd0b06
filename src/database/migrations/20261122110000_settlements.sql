-- Who moved money by hand, and why. Money settled by hand lies in suspense until a person releases it, once.

-- Rows from before this table have no issuer, and the subject only where the result kept one.
create table settlements (
  tenant text not null,
  transfer_id text not null,
  note text not null check (note <> ''),
  settled_by_iss text,
  settled_by_sub text,
  confirmed_by_iss text,
  confirmed_by_sub text,
  settled_at timestamptz not null default now(),
  phase text not null generated always as ('resolve') stored,
  phase_outcome text not null generated always as ('settled') stored,
  primary key (tenant, transfer_id),
  foreign key (tenant, transfer_id, phase, phase_outcome)
    references transfer_phases (tenant, transfer_id, phase, outcome),
  check (num_nulls(confirmed_by_iss, confirmed_by_sub) in (0, 2)),
  check ((confirmed_by_iss, confirmed_by_sub) is distinct from (settled_by_iss, settled_by_sub)
    or confirmed_by_sub is null)
);

insert into settlements (tenant, transfer_id, note, settled_by_sub, settled_at)
select p.tenant, p.transfer_id, coalesce(nullif(t.result ->> 'note', ''), 'Settled before'), t.result ->> 'settledBy',
  p.recorded_at
from transfer_phases p join transfers t using (tenant, transfer_id)
where p.phase = 'resolve' and p.outcome = 'settled';

create trigger settlements_stay before update or delete or truncate on settlements
  for each statement execute function refuse_change();

create index settled_transfers on transfer_phases (tenant, transfer_id) where outcome = 'settled';

-- What one person proposes and another confirms. The last proposal for a transfer counts.
create table suspense_proposals (
  tenant text not null,
  transfer_id text not null,
  number integer not null check (number > 0),
  account_id text not null check (account_id !~ '^~'),
  note text not null check (note <> ''),
  proposed_by_iss text not null,
  proposed_by_sub text not null,
  proposed_at timestamptz not null default now(),
  phase text not null generated always as ('resolve') stored,
  phase_outcome text not null generated always as ('settled') stored,
  primary key (tenant, transfer_id, number),
  foreign key (tenant, transfer_id, phase, phase_outcome)
    references transfer_phases (tenant, transfer_id, phase, outcome)
);

create trigger suspense_proposals_stay before update or delete or truncate on suspense_proposals
  for each statement execute function refuse_change();

-- The release of a settled transfer's money to an account: once for each transfer, for ever.
create table suspense_releases (
  tenant text not null,
  transfer_id text not null,
  account_id text not null check (account_id !~ '^~'),
  currency text not null,
  amount_minor bigint not null check (amount_minor > 0),
  note text not null check (note <> ''),
  -- The proposal that was confirmed, if two persons decided.
  proposal integer,
  released_by_iss text not null,
  released_by_sub text not null,
  confirmed_by_iss text,
  confirmed_by_sub text,
  released_at timestamptz not null default now(),
  phase text not null generated always as ('resolve') stored,
  phase_outcome text not null generated always as ('settled') stored,
  primary key (tenant, transfer_id),
  foreign key (tenant, transfer_id, phase, phase_outcome)
    references transfer_phases (tenant, transfer_id, phase, outcome),
  foreign key (tenant, account_id, currency) references accounts (tenant, account_id, currency)
    deferrable initially deferred,
  foreign key (tenant, transfer_id, proposal) references suspense_proposals (tenant, transfer_id, number),
  check (num_nulls(proposal, confirmed_by_iss, confirmed_by_sub) in (0, 3)),
  check ((confirmed_by_iss, confirmed_by_sub) is distinct from (released_by_iss, released_by_sub))
);

create trigger suspense_releases_stay before update or delete or truncate on suspense_releases
  for each statement execute function refuse_change();

-- A release moves what was settled, and its posting moves what the release says. Both hold at the commit, whichever of
-- the rows a transaction writes.
create function check_release(of_tenant text, of_transfer_id text) returns void
  language plpgsql set search_path = public, pg_temp as $$
begin
  if not exists (
    select 1 from suspense_releases r
    join transfers t using (tenant, transfer_id)
    join entries given on given.tenant = r.tenant and given.posting_id = 'transfer/' || r.transfer_id || '/release'
      and given.account_id = '~suspense:' || r.currency and given.amount_minor = -r.amount_minor
    join entries taken on taken.tenant = r.tenant and taken.posting_id = given.posting_id
      and taken.account_id = r.account_id and taken.currency = r.currency and taken.amount_minor = r.amount_minor
    where r.tenant = of_tenant and r.transfer_id = of_transfer_id
      and r.currency = t.currency and r.amount_minor = t.amount_minor
      and (select count(*) from entries e where e.tenant = r.tenant and e.posting_id = given.posting_id) = 2
  ) then
    raise exception 'a release moves what was settled, by one posting of that amount' using errcode = 'check_violation';
  end if;
end $$;

create function check_release_row() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  perform check_release(new.tenant, new.transfer_id);
  return null;
end $$;

create function check_release_entry() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  perform check_release(new.tenant, substring(new.posting_id from '^transfer/(.*)/release$'));
  return null;
end $$;

create constraint trigger releases_move_what_was_settled after insert on suspense_releases
  deferrable initially deferred for each row execute function check_release_row();
create constraint trigger release_postings_have_a_release after insert on entries
  deferrable initially deferred for each row when (new.posting_id like 'transfer/%/release')
  execute function check_release_entry();
