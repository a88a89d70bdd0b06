-- A transfer that nobody has to approve may be opened, paid and ended in one commit, by one call. No table is changed.

-- Only a call that writes the transfer's row moves its money: nobody else knows the row before the commit, so that no
-- step of the same transfer can run beside it. Either the whole transfer is done, or the row is open and nothing moved.
-- Answers the row, or the one that another start had written. The function runs with its caller's rights.
create function open_transfer_at_once(
  of_tenant text, of_transfer_id text, of_payer text, of_payee text, of_currency text, of_amount bigint,
  of_reference text, of_requester text, of_starter_iss text, of_starter_sub text, of_fingerprint text,
  needs_approval boolean, result_if_completed jsonb
) returns setof transfers
  language plpgsql set search_path = public, pg_temp as $$
begin
  insert into transfers (tenant, transfer_id, payer_id, payee_id, currency, amount_minor, reference, requested_by,
    started_by_iss, started_by_sub, fingerprint, approval_required)
  values (of_tenant, of_transfer_id, of_payer, of_payee, of_currency, of_amount, of_reference, of_requester,
    of_starter_iss, of_starter_sub, of_fingerprint, needs_approval)
  on conflict do nothing;
  if found and not needs_approval then
    begin
      insert into transfer_phases (tenant, transfer_id, phase, outcome)
      values (of_tenant, of_transfer_id, 'reserve', 'reserved'), (of_tenant, of_transfer_id, 'resolve', 'posted');
      update transfers set outcome = 'completed', result = result_if_completed, ended_at = now()
      where tenant = of_tenant and transfer_id = of_transfer_id;
      -- The accounts come last, because others wait for them. All transfers lock them in the same order.
      with able as (
        select account_id from accounts
        where tenant = of_tenant and account_id in (of_payer, of_payee) and currency = of_currency
          and kind = 'customer' and not frozen and (account_id = of_payee or balance_minor >= of_amount)
        order by account_id for no key update
      )
      insert into entries (tenant, posting_id, account_id, currency, amount_minor)
      select of_tenant, 'transfer/' || of_transfer_id || '/' || leg.phase, leg.account_id, of_currency, leg.amount_minor
      from (values
        ('reserve', of_payer, -of_amount), ('reserve', '~clearing:' || of_currency, of_amount),
        ('resolve', '~clearing:' || of_currency, -of_amount), ('resolve', of_payee, of_amount)
      ) as leg (phase, account_id, amount_minor)
      where (select count(*) from able) = 2;
      if not found then
        raise exception 'an account does not give or take the money' using errcode = 'PT001';
      end if;
    exception when sqlstate 'PT001' then
      -- Nothing of the above stands. The steps that follow find out why, and record it.
    end;
  end if;
  return query select * from transfers where tenant = of_tenant and transfer_id = of_transfer_id;
end $$;
