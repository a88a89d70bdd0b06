import type { PlantedBug } from './planted-bug.ts';

const decisions = 'workflows/delayed-tasks/decisions.ts';
const workflow = 'workflows/delayed-tasks.ts';
const test = (name: string): string => `test/workflows/${name}.test.ts`;

/** Bugs of delayed tasks. */
export const taskBugs: readonly PlantedBug[] = [
  {
    name: 'a run-now leaves the decision to others',
    edits: [
      {
        file: decisions,
        find: "      progress.phase = 'delivering';\n",
        put: '      progress.untilMs = Date.now();\n',
      },
    ],
    caughtBy: [test('delayed-tasks-decisions'), 'takes one of two decisions that come together'],
  },
  {
    name: 'a cancel during an attempt is accepted before its end',
    edits: [
      {
        file: decisions,
        find: "        await condition(() => progress.phase !== 'delivering');\n",
        put: '        return { accepted: true };\n',
      },
    ],
    caughtBy: [test('delayed-tasks-decisions'), 'a cancel waits for its end, and is too late where it delivers'],
  },
  {
    name: 'a task is rescheduled after its first attempt',
    edits: [
      {
        file: decisions,
        find: "if (progress.phase !== 'waiting') refuseAction('too-late');",
        put: "if (progress.phase === 'ended') refuseAction('too-late');",
      },
    ],
    caughtBy: [test('delayed-tasks-decisions'), 'nothing else is taken'],
  },
  {
    name: 'a redelivery goes on with the attempts that are left',
    edits: [{ file: decisions, find: "      if (progress.phase === 'dead-letter') progress.counted = 0;\n", put: '' }],
    caughtBy: [test('delayed-tasks'), 'becomes one again where all attempts fail again'],
    hangs: true,
  },
  {
    name: 'an attempt begins after the expiry',
    edits: [
      { file: workflow, find: 'if (Date.now() >= expiresAtMs) end(', put: 'if (false) end(' },
      {
        file: 'activities/delayed-tasks.ts',
        find: "if (expiresAt !== undefined && nowMs >= Date.parse(expiresAt)) return { kind: 'expired' };",
        put: '',
      },
    ],
    caughtBy: [test('delayed-tasks'), 'lets no attempt begin after it'],
  },
  {
    name: 'a task in a new run forgets when it is due',
    edits: [
      { file: workflow, find: 'const progress = before ?? firstProgress(', put: 'const progress = firstProgress(' },
    ],
    caughtBy: [test('delayed-tasks-decisions'), 'goes on in a new run'],
  },
];
