-- Who froze and unfroze an account, when, and why. An account is frozen as its newest row says. Accounts that were frozen
-- before this table have no row until they are unfrozen. The table accounts is locked for a moment.

create table account_freezes (
  tenant text not null,
  account_id text not null,
  position bigint generated always as identity,
  frozen boolean not null,
  by_iss text not null,
  by_sub text not null,
  note text check (length(note) between 1 and 500),
  recorded_at timestamptz not null default now(),
  primary key (tenant, account_id, position),
  foreign key (tenant, account_id) references accounts
);

create trigger account_freezes_stay before update or delete or truncate on account_freezes
  for each statement execute function refuse_change();

-- The function runs with the owner's rights, because the program's role may not freeze an account without a row.
create function freeze_account() returns trigger
  language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update accounts set frozen = new.frozen
  where tenant = new.tenant and account_id = new.account_id and kind = 'customer' and frozen <> new.frozen;
  if not found then
    raise exception 'a freeze must change a customer''s account' using errcode = 'check_violation';
  end if;
  return null;
end $$;
revoke execute on function freeze_account() from public;

create trigger accounts_are_frozen after insert on account_freezes
  for each row execute function freeze_account();

create function refuse_own_freeze() returns trigger language plpgsql as $$
begin
  raise exception 'an account is frozen by its rows of account_freezes alone' using errcode = 'restrict_violation';
end $$;

create trigger accounts_begin_unfrozen before insert on accounts
  for each row when (new.frozen) execute function refuse_own_freeze();
create trigger accounts_freeze_by_rows before update of frozen on accounts
  for each statement when (pg_trigger_depth() = 0) execute function refuse_own_freeze();
