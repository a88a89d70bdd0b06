import type { PlantedBug } from './planted-bug.ts';

/** Bugs of the relay and its table. */
export const relayBugs: readonly PlantedBug[] = [
  {
    name: 'a relay ends rows that another has taken over',
    edits: [
      {
        file: 'relay/outbox.ts',
        find: 'and o.locked_by = $1 and o.attempt = e.attempt and',
        put: "and coalesce(o.locked_by, '') <> $1 || '!' and",
      },
    ],
    caughtBy: ['test/relay/outbox.test.ts', 'takes no end from a relay whose lease is over'],
  },
  {
    name: 'a relay ends rows that it has claimed again',
    edits: [{ file: 'relay/outbox.ts', find: 'and o.attempt = e.attempt and', put: 'and' }],
    caughtBy: ['test/relay/outbox.test.ts', 'takes no end from an earlier claim of the same relay'],
  },
  {
    name: 'rows are claimed after the highest id that is done',
    edits: [
      {
        file: 'relay/claim.ts',
        find: "o.status = 'pending' and ${isSuspect}",
        put: "o.id > (select coalesce(max(id), 0) from ${table} where status = 'done') and o.status = 'pending' and ${isSuspect}",
      },
    ],
    caughtBy: ['test/relay/outbox.test.ts', 'commits after one with a later id was done'],
  },
  {
    name: 'rows of one key are claimed together',
    edits: [
      { file: 'relay/claim.ts', find: 'join first on first.id = due.id', put: 'join first on first.key = due.key' },
      { file: 'relay/claim.ts', find: 'o.locked_by is null', put: 'false' },
    ],
    caughtBy: ['test/relay/outbox.test.ts', 'gives out the first row of each key alone'],
  },
  {
    name: 'a position is taken before the transaction before has committed',
    edits: [
      {
        file: 'relay/schema.sql',
        find: 'perform pg_advisory_xact_lock(hashtextextended(new.key, tg_relid::bigint));',
        put: 'perform 1;',
      },
    ],
    caughtBy: ['test/relay/outbox.test.ts', 'orders rows of one key by their commits'],
  },
  {
    name: 'a 401 makes rows dead',
    edits: [
      {
        file: 'relay/deliver.ts',
        find: 'if (status === 401) return { ended: all(released(turn)),',
        put: "if (status === 401) return { ended: all({ kind: 'dead', problem }),",
      },
    ],
    caughtBy: ['test/relay/relay.test.ts', 'pauses at a 401'],
  },
  {
    name: 'a row that is never answered goes with others for ever',
    edits: [{ file: 'relay/outcome.ts', find: 'isSuspect: row.failures > 0,', put: 'isSuspect: false,' }],
    caughtBy: ['test/relay/relay.test.ts', 'is hardly held up by a row'],
    hangs: true,
  },
  {
    name: 'the end of a row leaves the next of its key set aside',
    edits: [{ file: 'relay/outbox.ts', find: 'if (keys.length > 0) await', put: 'if (keys.length < 0) await' }],
    caughtBy: ['test/relay/outbox.test.ts', 'gives out the first row of each key alone'],
  },
];
