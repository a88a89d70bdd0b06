-- One permanent row for each transfer, and the two phases of its money.

create table transfers (
  tenant text not null check (tenant <> ''),
  transfer_id text not null check (transfer_id <> ''),
  payer_id text not null check (payer_id !~ '^~'),
  payee_id text not null check (payee_id !~ '^~'),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  amount_minor bigint not null check (amount_minor > 0),
  reference text,
  requested_by text,
  started_by_iss text not null,
  started_by_sub text not null,
  fingerprint text not null,
  approval_required boolean not null,
  opened_at timestamptz not null default now(),
  approved_by_iss text,
  approved_by_sub text,
  approved_at timestamptz,
  outcome text,
  result jsonb,
  ended_at timestamptz,
  primary key (tenant, transfer_id),
  check (payer_id <> payee_id),
  check (num_nulls(approved_by_iss, approved_by_sub, approved_at) in (0, 3)),
  check (num_nulls(outcome, result, ended_at) in (0, 3)),
  check (result is null or result ->> 'outcome' = outcome)
);

create trigger transfers_keep_their_identity
  before update of tenant, transfer_id, payer_id, payee_id, currency, amount_minor, reference, requested_by,
    started_by_iss, started_by_sub, fingerprint, approval_required, opened_at on transfers
  for each statement execute function refuse_change();
create trigger transfers_stay before delete or truncate on transfers
  for each statement execute function refuse_change();

-- A phase is reached once, and a resolve row can only point at a reserve row that did reserve.
create table transfer_phases (
  tenant text not null,
  transfer_id text not null,
  phase text not null check (phase in ('reserve', 'resolve')),
  outcome text not null,
  reason text,
  recorded_at timestamptz not null default now(),
  needs_phase text generated always as (case phase when 'resolve' then 'reserve' end) stored,
  needs_outcome text generated always as (case phase when 'resolve' then 'reserved' end) stored,
  primary key (tenant, transfer_id, phase),
  unique (tenant, transfer_id, phase, outcome),
  foreign key (tenant, transfer_id) references transfers,
  foreign key (tenant, transfer_id, needs_phase, needs_outcome)
    references transfer_phases (tenant, transfer_id, phase, outcome),
  check (case phase
    when 'reserve' then outcome in ('reserved', 'rejected', 'voided')
    else outcome in ('posted', 'refunded', 'settled') end),
  check ((outcome = 'rejected') = (reason is not null))
);

create trigger transfer_phases_stay before delete or truncate on transfer_phases
  for each statement execute function refuse_change();
create trigger transfer_phases_keep_their_identity
  before update of tenant, transfer_id, phase, recorded_at on transfer_phases
  for each statement execute function refuse_change();

-- The one change a phase may see: the transaction that wrote `reserved` finds that it cannot, and says so.
create function check_phase_change() returns trigger language plpgsql as $$
begin
  if old.outcome <> 'reserved' or new.outcome <> 'rejected' or old.xmin <> pg_current_xact_id()::xid then
    raise exception 'rows of transfer_phases are permanent' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

create trigger transfer_phases_are_permanent before update on transfer_phases
  for each row execute function check_phase_change();

-- A transfer is approved once and ends once, and ends as its money did.
create function check_transfer_change() returns trigger language plpgsql as $$
declare
  reserve text;
  resolve text;
begin
  if old.outcome is not null
    or (old.approved_at is not null and (old.approved_by_iss, old.approved_by_sub, old.approved_at)
      is distinct from (new.approved_by_iss, new.approved_by_sub, new.approved_at)) then
    raise exception 'rows of transfers are permanent' using errcode = 'restrict_violation';
  end if;
  if new.outcome is not null then
    select p.outcome into reserve from transfer_phases p
      where p.tenant = new.tenant and p.transfer_id = new.transfer_id and p.phase = 'reserve';
    select p.outcome into resolve from transfer_phases p
      where p.tenant = new.tenant and p.transfer_id = new.transfer_id and p.phase = 'resolve';
    if (reserve is not distinct from 'reserved') and resolve is null then
      raise exception 'a transfer cannot end while its money is in clearing' using errcode = 'check_violation';
    end if;
    if (new.outcome = 'completed') <> (resolve is not distinct from 'posted')
      or (new.outcome = 'settled') <> (resolve is not distinct from 'settled') then
      raise exception 'a transfer cannot end otherwise than its money' using errcode = 'check_violation';
    end if;
  end if;
  return new;
end $$;

create trigger transfers_end_as_their_money before update on transfers
  for each row execute function check_transfer_change();
