-- Entries get an order, and an index that serves statements and balances. Both are built under locks: entries is written
-- anew. `docs/upgrade.md` says how long that takes, and how to build the indexes beforehand without a lock.

alter table entries add column if not exists seq bigint generated always as identity;

create index if not exists entries_in_order on entries (tenant, account_id, seq) include (amount_minor);
drop index entries_of_account;

-- What is unresolved is little, however many transfers there have been.
create index if not exists transfers_unresolved on transfers (opened_at) where outcome is null;
