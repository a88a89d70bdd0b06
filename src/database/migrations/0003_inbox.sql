-- Effects of user grants: at most one of a kind for each life of a user's grant, whoever asks and however often.

create table messages (
  tenant text not null check (tenant <> ''),
  user_id text not null check (user_id <> ''),
  generation integer not null check (generation > 0),
  kind text not null check (kind <> ''),
  title text not null,
  body text not null,
  position bigint generated always as identity,
  sent_at timestamptz not null default now(),
  primary key (tenant, user_id, generation, kind)
);
create unique index messages_in_order on messages (tenant, user_id, position);

create table discounts (
  tenant text not null check (tenant <> ''),
  user_id text not null check (user_id <> ''),
  generation integer not null check (generation > 0),
  kind text not null check (kind <> ''),
  percent integer not null check (percent between 1 and 100),
  position bigint generated always as identity,
  granted_at timestamptz not null default now(),
  primary key (tenant, user_id, generation, kind)
);
create unique index discounts_in_order on discounts (tenant, user_id, position);
