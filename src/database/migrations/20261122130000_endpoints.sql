-- Where tenants want webhooks sent to, and the secrets that sign them.

create table endpoints (
  tenant text not null check (tenant <> ''),
  endpoint_id text not null check (endpoint_id <> ''),
  url text not null check (url <> ''),
  description text,
  state text not null default 'enabled' check (state in ('enabled', 'disabled')),
  -- Why it is disabled: somebody asked for it, or the receiver answered 410.
  disabled_because text check (disabled_because in ('asked', 'gone')),
  -- One more with each change, but not with each attempt that is noted: an attempt disables only what it has read.
  revision integer not null default 1 check (revision > 0),
  created_at timestamptz not null default now(),
  last_success_at timestamptz,
  last_success_status integer,
  last_failure_at timestamptz,
  last_failure_reason text check (last_failure_reason ~ '^[a-z-]{1,64}$'),
  last_failure_status integer,
  primary key (tenant, endpoint_id),
  check ((state = 'disabled') = (disabled_because is not null))
);

-- Sealed under the key that is named: nothing in the database can open them.
create table endpoint_secrets (
  tenant text not null,
  endpoint_id text not null,
  number integer not null check (number > 0),
  key_id text not null check (key_id <> ''),
  sealed bytea not null,
  created_at timestamptz not null default now(),
  -- The newest secret has none.
  expires_at timestamptz,
  primary key (tenant, endpoint_id, number),
  foreign key (tenant, endpoint_id) references endpoints (tenant, endpoint_id) on delete cascade
);

create unique index one_newest_endpoint_secret on endpoint_secrets (tenant, endpoint_id) where expires_at is null;
create index endpoint_secrets_by_key on endpoint_secrets (key_id);
