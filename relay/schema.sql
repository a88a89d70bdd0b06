-- The outbox: rows that a service writes in its own transactions, for the relay to send to Portico.
-- Safe to apply again. Everything is made in the first schema of the search path.
-- PostgreSQL 15 or newer.

-- Positions are not the ids: a row that is replayed gets a new position and keeps its id.
create sequence if not exists outbox_position_seq;

create table if not exists outbox (
  id bigint generated always as identity primary key,

  -- What the service writes.
  key text not null check (key <> ''),
  operation text not null check (operation <> ''),
  instance_id text check (instance_id <> ''),
  idempotency_key text check (idempotency_key <> ''),
  body jsonb not null default '{}',
  created_at timestamptz not null default now(),

  -- What the relay keeps.
  position bigint not null,
  status text not null default 'pending' check (status in ('pending', 'done', 'dead')),
  next_attempt_at timestamptz not null default now(),
  -- How often the row was claimed. With locked_by it tells one claim from the next.
  attempt integer not null default 0,
  -- How many claims in a row ended without any word of the relay that made them.
  started integer not null default 0,
  -- How many retryable answers, or none, came in a row.
  failures integer not null default 0,
  -- Claimed, and no end of it known yet; or not answered twice in a row. They are sent beside all others,
  -- and one by one from the second time on.
  -- A row whose relay was killed is therefore not behind the whole backlog.
  suspect boolean not null default false,
  locked_by text,
  lease_until timestamptz,
  finished_at timestamptz,
  problem jsonb,
  answer jsonb,

  check ((status = 'pending') = (finished_at is null)),
  check ((locked_by is null) = (lease_until is null))
) with (
  -- Every row is updated twice within a second: vacuum follows the changes, not the size of the table.
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_analyze_scale_factor = 0.0,
  autovacuum_analyze_threshold = 5000
);

-- What a claim reads holds no finished row, however many the table has.
create index if not exists outbox_due on outbox (next_attempt_at, position) where status = 'pending' and not suspect;
create index if not exists outbox_suspect on outbox (next_attempt_at, position) where status = 'pending' and suspect;
create index if not exists outbox_order on outbox (key, position) where status <> 'done';
create index if not exists outbox_finished on outbox (status, finished_at) where status <> 'pending';

-- A sequence is read before the commit, so a later value may become visible first. The lock ends with the transaction:
-- of two transactions that write one key, the second gets its position after the first has committed.
create or replace function outbox_take_position() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.key, tg_relid::bigint));
  new.position := nextval(format('%I.outbox_position_seq', tg_table_schema)::regclass);
  -- A start is known by its business key. An action is repeated under a key of its own.
  if new.instance_id is not null and new.idempotency_key is null then
    new.idempotency_key := gen_random_uuid()::text;
  end if;
  return new;
end
$$;

create or replace trigger outbox_position before insert on outbox
  for each row execute function outbox_take_position();

-- A hint to look at once. The relay polls as well, so nothing depends on it.
create or replace function outbox_notify() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify(left('outbox:' || tg_table_schema, 63), '');
  return null;
end
$$;

create or replace trigger outbox_wake after insert on outbox
  for each statement execute function outbox_notify();

-- Makes a dead row pending again and answers whether it was dead. It becomes the last of its key, unless told to keep its
-- position: then nothing later of the key may have been sent, as where dead rows block their key.
create or replace function outbox_replay(row_id bigint, keep_position boolean default false) returns boolean
  language plpgsql set search_path from current as $$
declare
  row_key text;
begin
  select key into row_key from outbox where id = row_id and status = 'dead' for update;
  if not found then
    return false;
  end if;
  if not keep_position then
    perform pg_advisory_xact_lock(hashtextextended(row_key, 'outbox'::regclass::oid::bigint));
  end if;
  update outbox set
    status = 'pending', finished_at = null, next_attempt_at = now(), started = 0, failures = 0, suspect = true,
    position = case when keep_position then position else nextval('outbox_position_seq') end
  where id = row_id;
  perform pg_notify(left('outbox:' || current_schema(), 63), '');
  return true;
end
$$;
