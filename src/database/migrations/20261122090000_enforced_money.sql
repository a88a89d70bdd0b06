-- Balances, phases, approvals and ends follow from entries, whoever writes. Triggers alone: no table is scanned. Each of
-- accounts, entries, transfers and transfer_phases is locked for a moment. What stands in them is not looked at.

-- Functions that read tables name their schema first: a temporary table of the same name would else be read instead.

-- An older program takes the tables in this order as well, so that neither waits for the other in turn.
lock table transfers, transfer_phases, accounts, entries in access exclusive mode;

-- Balances move by entries. Every posting is written by one statement, and has one account that gives and one that
-- receives. The function runs with the owner's rights, because the program's role may not change a balance.
create function book_postings() returns trigger
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  posting record;
  name text[];
  belongs boolean;
begin
  for posting in
    select tenant, posting_id, count(*) as legs, sum(amount_minor) as total, max(amount_minor) as amount,
      min(currency) as currency, min(currency) = max(currency) as is_of_one_currency,
      min(account_id) filter (where amount_minor < 0) as giver, min(account_id) filter (where amount_minor > 0) as taker
    from added group by tenant, posting_id
  loop
    if posting.total <> 0 or not posting.is_of_one_currency then
      raise exception 'a posting must sum to zero in each currency' using errcode = 'check_violation';
    end if;
    name := regexp_match(posting.posting_id, '^(transfer|account)/(.+)/([a-z]+)$');
    case
      when posting.legs <> 2 then
        belongs := false;
      when name[1] = 'transfer' and name[3] in ('reserve', 'resolve') then
        -- A voided or rejected phase has no taker, and so no posting.
        belongs := exists (
          select from transfers t join transfer_phases p using (tenant, transfer_id)
          where t.tenant = posting.tenant and t.transfer_id = name[2] and p.phase = name[3]
            and (t.currency, t.amount_minor) = (posting.currency, posting.amount)
            and posting.giver = case p.phase when 'reserve' then t.payer_id else '~clearing:' || t.currency end
            and posting.taker = case p.outcome
              when 'reserved' then '~clearing:' || t.currency
              when 'posted' then t.payee_id
              when 'refunded' then t.payer_id
              when 'settled' then '~suspense:' || t.currency
            end);
      when name[1] = 'transfer' then
        -- A release pays out of suspense. Its own trigger ties it to the row that says who asked for it.
        belongs := name[3] = 'release' and posting.giver = '~suspense:' || posting.currency;
      when name[1] = 'account' and name[3] = 'opening' then
        belongs := exists (
          select from accounts a
          where a.tenant = posting.tenant and a.account_id = name[2] and a.kind = 'customer'
            and (a.currency, a.opening_balance_minor) = (posting.currency, posting.amount)
            and (posting.giver, posting.taker) = ('~equity:' || a.currency, a.account_id));
      else
        belongs := false;
    end case;
    if not coalesce(belongs, false) then
      raise exception 'a posting must be that of its transfer or of its account' using errcode = 'check_violation';
    end if;
    if posting.giver !~ '^~' then
      update accounts set balance_minor = balance_minor - posting.amount
      where tenant = posting.tenant and account_id = posting.giver and not frozen;
      if not found then
        raise exception 'a frozen account gives nothing' using errcode = 'check_violation';
      end if;
    end if;
    if posting.taker !~ '^~' then
      update accounts set balance_minor = balance_minor + posting.amount
      where tenant = posting.tenant and account_id = posting.taker and not frozen;
      if not found then
        raise exception 'a frozen account receives nothing' using errcode = 'check_violation';
      end if;
    end if;
  end loop;
  return null;
end $$;
revoke execute on function book_postings() from public;

drop trigger postings_balance on entries;
drop function check_posting_balances();
create trigger postings_are_booked after insert on entries
  referencing new table as added for each statement execute function book_postings();

create function refuse_own_balance() returns trigger language plpgsql as $$
begin
  raise exception 'a balance moves by entries alone' using errcode = 'restrict_violation';
end $$;

create trigger accounts_begin_empty before insert on accounts
  for each row when (new.balance_minor <> 0) execute function refuse_own_balance();
create trigger balances_move_by_entries before update of balance_minor on accounts
  for each statement when (pg_trigger_depth() = 0) execute function refuse_own_balance();

create function check_opening_is_posted() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  if not exists (
    select from entries e where e.tenant = new.tenant and e.posting_id = 'account/' || new.account_id || '/opening'
  ) then
    raise exception 'an opening balance must have its posting' using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger openings_are_posted after insert on accounts
  deferrable initially deferred for each row when (new.opening_balance_minor <> 0)
  execute function check_opening_is_posted();

-- Phases that move money have their posting at the commit. The posting's amount and accounts were checked when it was
-- written.
create function check_phase_is_posted() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  if not exists (
    select from entries e
    where e.tenant = new.tenant and e.posting_id = 'transfer/' || new.transfer_id || '/' || new.phase
  ) and exists (
    -- The reserve may have been turned into a rejection since.
    select from transfer_phases p
    where (p.tenant, p.transfer_id, p.phase, p.outcome) = (new.tenant, new.transfer_id, new.phase, new.outcome)
  ) then
    raise exception 'a phase that moves money must have its posting' using errcode = 'check_violation';
  end if;
  return null;
end $$;

create constraint trigger phases_are_posted after insert on transfer_phases
  deferrable initially deferred for each row when (new.outcome not in ('rejected', 'voided'))
  execute function check_phase_is_posted();

create or replace function check_phase_change() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  if old.outcome <> 'reserved' or new.outcome <> 'rejected' or old.xmin <> pg_current_xact_id()::xid then
    raise exception 'rows of transfer_phases are permanent' using errcode = 'restrict_violation';
  end if;
  if exists (
    select from entries e where e.tenant = new.tenant and e.posting_id = 'transfer/' || new.transfer_id || '/reserve'
  ) then
    raise exception 'money that moved cannot be rejected' using errcode = 'check_violation';
  end if;
  return new;
end $$;

-- Money is taken for a transfer that is open, and approved where that is required. The lock keeps it open meanwhile.
create function check_reserve() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
declare
  transfer record;
begin
  select t.outcome, t.approval_required and t.approved_at is null as is_unapproved into transfer from transfers t
    where t.tenant = new.tenant and t.transfer_id = new.transfer_id for share;
  if transfer.outcome is not null then
    raise exception 'a transfer that has ended takes no money' using errcode = 'check_violation';
  end if;
  if transfer.is_unapproved then
    raise exception 'a transfer takes no money before its approval' using errcode = 'check_violation';
  end if;
  return null;
end $$;

create trigger reserves_are_approved after insert on transfer_phases
  for each row when (new.outcome = 'reserved') execute function check_reserve();

create function refuse_begun_transfer() returns trigger language plpgsql as $$
begin
  raise exception 'a transfer begins open and not approved' using errcode = 'check_violation';
end $$;

create trigger transfers_begin_open before insert on transfers
  for each row when (num_nonnulls(new.outcome, new.approved_at) > 0) execute function refuse_begun_transfer();

create or replace function check_transfer_change() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
declare
  reserve text;
  refusal text;
  resolve text;
begin
  if old.outcome is not null
    or (old.approved_at is not null and (old.approved_by_iss, old.approved_by_sub, old.approved_at)
      is distinct from (new.approved_by_iss, new.approved_by_sub, new.approved_at)) then
    raise exception 'rows of transfers are permanent' using errcode = 'restrict_violation';
  end if;
  if new.outcome is null then
    return new;
  end if;
  select p.outcome, p.reason into reserve, refusal from transfer_phases p
    where p.tenant = new.tenant and p.transfer_id = new.transfer_id and p.phase = 'reserve';
  select p.outcome into resolve from transfer_phases p
    where p.tenant = new.tenant and p.transfer_id = new.transfer_id and p.phase = 'resolve';
  if (reserve is not distinct from 'reserved') and resolve is null then
    raise exception 'a transfer cannot end while its money is in clearing' using errcode = 'check_violation';
  end if;
  if (new.outcome = 'completed') <> (resolve is not distinct from 'posted')
    or (new.outcome = 'settled') <> (resolve is not distinct from 'settled')
    -- These two say that no money ever moved.
    or (new.outcome in ('rejected', 'expired') and reserve is not distinct from 'reserved')
    -- The ledger's reasons are those of its own rejection.
    or (new.outcome = 'rejected' and new.result ->> 'reason' is distinct from 'declined'
      and new.result ->> 'reason' is distinct from refusal) then
    raise exception 'a transfer cannot end otherwise than its money' using errcode = 'check_violation';
  end if;
  if new.outcome = 'completed' and new.approval_required and new.approved_at is null then
    raise exception 'a transfer cannot complete without its approval' using errcode = 'check_violation';
  end if;
  return new;
end $$;
