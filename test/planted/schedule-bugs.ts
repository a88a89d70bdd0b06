import type { PlantedBug } from './planted-bug.ts';

/** Bugs of schedules and their firings. */
export const scheduleBugs: readonly PlantedBug[] = [
  {
    name: 'all firings of a schedule have one key',
    edits: [
      { file: 'activities/schedules.ts', find: '`${schedule}.${time}`', put: '`${schedule}.${time.slice(0, 4)}`' },
    ],
    caughtBy: ['test/workflows/launches.test.ts', 'starts one instance, however often'],
  },
  {
    name: 'a firing does not wait for its instance',
    edits: [{ file: 'workflows/launches.ts', find: '|| !launch.waits', put: '|| launch.waits' }],
    caughtBy: ['test/workflows/launches.test.ts', 'lasts as long as its instance'],
  },
  {
    name: 'a firing comes however late it is',
    edits: [{ file: 'workflows/launches.ts', find: '> launch.catchUpMs', put: '> launch.catchUpMs + 1_000_000' }],
    caughtBy: ['test/workflows/launches.test.ts', 'that nobody took up in time'],
  },
  {
    name: 'a replacement that lost is told as one that won',
    edits: [
      {
        file: 'src/orchestration/schedules/changes.ts',
        find: 'snapshot.record.revisions.includes(revision)',
        put: "snapshot.record.revisions.includes(revision) || revision !== ''",
      },
    ],
    caughtBy: ['test/orchestration/schedules.test.ts', 'of what somebody else has replaced'],
  },
  {
    name: 'an instance belongs to whoever triggers it',
    edits: [
      {
        file: 'src/operations/resources/schedules-actions.ts',
        find: 'const { startedBy } = record.launch;',
        put: 'const startedBy = principal.actor;',
      },
    ],
    caughtBy: ['test/contract/schedule-firings.test.ts', 'belongs to whoever made the schedule'],
  },
  {
    name: 'whoever triggers a schedule may approve what it starts',
    edits: [
      {
        file: 'src/operations/resources/schedules-actions.ts',
        find: 'const alsoAskedBy = [principal.actor];',
        put: 'const alsoAskedBy = [startedBy];',
      },
    ],
    caughtBy: ['test/contract/schedule-persons.test.ts', 'whoever triggered it'],
  },
  {
    name: 'whoever backfills a schedule may approve what it starts',
    edits: [{ file: 'activities/schedules.ts', find: 'fromMs <= atMs &&', put: 'fromMs > atMs &&' }],
    caughtBy: ['test/contract/schedule-persons.test.ts', 'whoever had it fire for past times'],
  },
  {
    name: 'whoever makes a delayed task run may approve what it starts',
    edits: [
      {
        file: 'workflows/delayed-tasks/decisions.ts',
        find: 'judge();\n      rememberAsker(progress, actor);',
        put: 'judge();',
      },
    ],
    caughtBy: ['test/contract/schedule-persons.test.ts', 'whoever asked for run-now'],
  },
  {
    name: 'a refusal of a cancel by a firing is final',
    edits: [
      {
        file: 'activities/schedules.ts',
        find: '`overlap.${fired.launch.schedule}.${number}`',
        put: '`overlap.${fired.launch.schedule}`',
      },
    ],
    caughtBy: ['test/workflows/launches.test.ts', 'asks its instance again'],
  },
  {
    name: 'an hour that the clock skips fires an hour later',
    edits: [
      {
        file: 'src/orchestration/schedules/next-match.ts',
        find: 'if (localHour(zone, instant) === wall.hour) return',
        put: 'return',
      },
    ],
    caughtBy: ['test/orchestration/schedule-times.test.ts', 'leave out a local time'],
  },
  {
    name: 'a backfill ends where its last firing should begin',
    edits: [
      {
        file: 'src/orchestration/schedules/timetable.ts',
        find: 'Math.min(untilMs + jitterMs, next - 1)',
        put: 'Math.min(untilMs, next - 1)',
      },
    ],
    caughtBy: ['test/contract/schedule-firings.test.ts', 'of past times is left out for no jitter'],
  },
  {
    name: 'a day whose midnight the clock skips has its own weekday',
    edits: [
      {
        file: 'src/orchestration/schedules/next-match.ts',
        find: 'return new Date(instant + zone.offsetAt(instant)).getUTCDay();',
        put: 'return new Date(instant + 43_200_000 + zone.offsetAt(instant)).getUTCDay();',
      },
    ],
    caughtBy: ['test/orchestration/schedule-times.test.ts', 'fires in America/Santiago'],
  },
];
