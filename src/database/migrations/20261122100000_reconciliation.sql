-- What the reconciler and operators note about transfers without an outcome.

create index if not exists transfers_unresolved on transfers (opened_at) where outcome is null;

-- Money in suspense is the sum of these few entries. Without this index it would be a sum over all entries.
create index entries_in_suspense on entries (currency) include (amount_minor) where account_id like '~suspense:%';

-- At most one row for a transfer, and none once the transfer has ended.
create table transfer_reconciliations (
  tenant text not null,
  transfer_id text not null,
  -- Each claim takes the next number. Whoever has an older one has lost the claim.
  fence bigint not null,
  -- Nobody claims the transfer before this time.
  lease_until timestamptz not null,
  -- How often the reconciler has resumed the transfer.
  resumed integer not null default 0,
  -- What the last look has found.
  found text,
  -- Whether a look has ever found that callers were told an end. Temporal forgets it; this row does not.
  told_final boolean not null default false,
  primary key (tenant, transfer_id),
  foreign key (tenant, transfer_id) references transfers
);

-- Who held a transfer back, and who released it. Rows stay, as a record.
create table transfer_holds (
  tenant text not null,
  transfer_id text not null,
  position bigint generated always as identity,
  note text not null check (note <> ''),
  held_by_iss text not null,
  held_by_sub text not null,
  held_at timestamptz not null default now(),
  released_by_iss text,
  released_by_sub text,
  released_at timestamptz,
  primary key (tenant, transfer_id, position),
  foreign key (tenant, transfer_id) references transfers,
  check (num_nulls(released_by_iss, released_by_sub, released_at) in (0, 3))
);
create unique index transfer_holds_in_force on transfer_holds (tenant, transfer_id) where released_at is null;

create trigger transfer_holds_stay before delete or truncate on transfer_holds
  for each statement execute function refuse_change();
create trigger transfer_holds_keep_their_identity
  before update of tenant, transfer_id, position, note, held_by_iss, held_by_sub, held_at on transfer_holds
  for each statement execute function refuse_change();
