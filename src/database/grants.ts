/**
 * What the program's role may do, and no more: money is only ever added to, permanent rows never change.
 * `role` is a quoted identifier. A migration that adds a table adds its line here.
 */
export const grantsTo = (role: string): string => `
  begin;
  revoke all on schema_migrations, accounts, entries, transfers, transfer_phases, messages, discounts from ${role};
  grant usage on schema public to ${role};
  grant select on schema_migrations to ${role};
  grant select, insert, update (balance_minor, frozen) on accounts to ${role};
  grant select, insert on entries to ${role};
  grant select, insert, update (approved_by_iss, approved_by_sub, approved_at, outcome, result, ended_at)
    on transfers to ${role};
  grant select, insert, update (outcome, reason) on transfer_phases to ${role};
  grant select, insert on messages, discounts to ${role};
  commit;
`;
