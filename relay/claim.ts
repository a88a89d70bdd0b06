const beforeOf = (deadLetters: 'pass' | 'block') =>
  deadLetters === 'block' ? `e.status <> 'done'` : `e.status = 'pending'`;

/**
 * The first row of a key is asked from an index, for each key that is looked at, and stays the first until it is finished.
 * Rows behind it are set aside, due never, until the end of a row makes the next of its key due: a claim costs what it
 * takes, not what waits. They are set aside only under a lock of a first row that is unfinished, which its end waits for.
 */
export function claimOf(table: string, deadLetters: 'pass' | 'block') {
  const isBefore = beforeOf(deadLetters);
  const text = (isSuspect: string) => {
    const isDue = `o.status = 'pending' and ${isSuspect} and o.next_attempt_at <= now()`;
    return `
    with due as materialized (
      select o.id, o.key from ${table} o where ${isDue} order by o.next_attempt_at, o.position limit $4
    ), first as materialized (
      select k.key, (
        select e.id from ${table} e where e.key = k.key and ${isBefore} order by e.position limit 1) as id
      from (select distinct key from due) k
    ), head as materialized (
      select o.id, o.next_attempt_at, o.locked_by from ${table} o
      where o.id = any (array(select due.id from due join first on first.id = due.id)) and ${isDue}
      order by o.next_attempt_at, o.position
      limit $3
      for update skip locked
    ), held as materialized (
      select e.id, e.key from ${table} e
      where e.id = any (array(select first.id from first join due on due.key = first.key and due.id <> first.id))
        and ${isBefore}
      for share skip locked
    ), behind as materialized (
      select o.id from ${table} o
      where o.id = any (array(select due.id from due join held on held.key = due.key and held.id <> due.id))
        and ${isDue} and o.locked_by is null
      for update skip locked
    ), set_aside as (
      update ${table} o set next_attempt_at = 'infinity' from behind where o.id = behind.id returning 1
    ), taken as (
      update ${table} o set
        locked_by = $1, lease_until = now() + $2 * interval '1 ms', next_attempt_at = now() + $2 * interval '1 ms',
        attempt = o.attempt + 1, started = o.started + 1, suspect = true
      from head where o.id = head.id
      returning o.id, o.position, o.key, o.operation, o.instance_id as "instanceId",
        o.idempotency_key as "idempotencyKey", o.body::text as body, o.attempt, o.started, o.failures,
        head.next_attempt_at::text as "dueAt", head.locked_by is not null as "isTakenOver"
    )
    select taken.*, counted."setAside"
    from (select count(*)::int as "setAside" from set_aside) counted left join taken on true`;
  };
  return {
    others: text('not o.suspect'),
    fresh: text('not o.suspect and o.failures = 0'),
    /** Lost once, as with a relay that was killed: hardly any of them is to blame. */
    lost: text('o.suspect and o.started <= 1 and o.failures <= 1'),
    alone: text('o.suspect and (o.started > 1 or o.failures > 1)'),
  };
}

/** Makes rows due that were set aside and are the first of their key by now: of the `keys` given, or of all. */
export function wakeOf(table: string, deadLetters: 'pass' | 'block') {
  const isBefore = beforeOf(deadLetters);
  const wake = (ids: string) => `
    update ${table} o set next_attempt_at = now()
    where o.id = any (array(${ids})) and o.status = 'pending' and o.next_attempt_at = 'infinity'`;
  return {
    keys: wake(`
      select (select e.id from ${table} e where e.key = k.key and ${isBefore} order by e.position limit 1)
      from (select distinct key from unnest($1::text[]) key) k`),
    all: wake(`
      select first.id from (
        select distinct on (e.key) e.id, e.next_attempt_at from ${table} e where ${isBefore} order by e.key, e.position
      ) first where first.next_attempt_at = 'infinity'`),
  };
}
