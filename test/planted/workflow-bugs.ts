import type { PlantedBug } from './planted-bug.ts';

const transfers = 'workflows/transfers.ts';
const money = 'workflows/transfers/money.ts';
const ending = 'workflows/transfers/ending.ts';
const instance = (name: string): string => `workflows/instance/${name}.ts`;
const test = (name: string): string => `test/workflows/${name}.test.ts`;

/** Bugs of workflows and activities. */
export const workflowBugs: readonly PlantedBug[] = [
  {
    name: 'money activities have a time limit in all',
    edits: [
      {
        file: money,
        find: "  startToCloseTimeout: '10s',\n",
        put: "  startToCloseTimeout: '10s',\n  scheduleToCloseTimeout: '30s',\n",
      },
    ],
    caughtBy: [test('transfers-retries'), 'each step of a transfer that completes'],
  },
  {
    name: 'money activities have a last attempt',
    edits: [
      {
        file: money,
        find: "retry: { initialInterval: '200ms', maximumInterval: '30s' },",
        put: "retry: { initialInterval: '200ms', maximumInterval: '30s', maximumAttempts: 10 },",
      },
    ],
    caughtBy: [test('transfers-retries'), 'each step of a transfer that completes'],
  },
  {
    name: 'a cancel stops the compensation',
    edits: [
      {
        file: instance('compensation'),
        find: 'CancellationScope.nonCancellable(async () => {',
        put: 'CancellationScope.cancellable(async () => {',
      },
    ],
    caughtBy: [test('transfers-cancel'), 'by Temporal changes nothing while the return of the money is stuck'],
    hangs: true,
  },
  {
    name: 'no cancel stops a transfer at once',
    edits: [
      {
        file: 'workflows/transfers/beginning.ts',
        find: 'await forward.run(() => cautious',
        put: 'await (() => cautious',
      },
      { file: 'workflows/transfers/beginning.ts', find: 'transferAtOnce(order));', put: 'transferAtOnce(order))();' },
    ],
    caughtBy: [test('transfers-at-once'), 'stops it while its database is away'],
    hangs: true,
  },
  {
    name: 'a transfer at once that was given up is not opened',
    edits: [
      {
        file: 'workflows/transfers/beginning.ts',
        find: 'if (error instanceof TemporalFailure) return open();',
        put: "if (error instanceof TemporalFailure) return { state: 'conflict' };",
      },
    ],
    caughtBy: [test('transfers-at-once'), 'is completed by steps where a defect stops it'],
  },
  {
    name: 'a cancelled activity is not waited for',
    edits: [{ file: money, find: "'WAIT_CANCELLATION_COMPLETED'", put: "'TRY_CANCEL'" }],
    caughtBy: [test('transfers-cancel'), 'comes too late where the deposit lands'],
  },
  {
    name: 'the key of an activity has the run in it',
    edits: [
      {
        file: transfers,
        find: 'patched, setHandler }',
        put: 'patched, setHandler, workflowInfo }',
      },
      {
        file: transfers,
        find: 'const transfer = { tenant, transferId: input.transferId };',
        put: 'const transfer = { tenant, transferId: `${input.transferId}.${workflowInfo().runId}` };',
      },
    ],
    caughtBy: [test('transfers-outcomes'), 'ends at once with its first result, without a posting'],
  },
  {
    name: 'an approval is not recorded',
    edits: [
      {
        file: transfers,
        find: '  if (approvedBy !== undefined) await recordApproval({ transfer, open }, approvedBy);\n',
        put: '',
      },
    ],
    caughtBy: [test('transfers-approval'), 'is not asked for again by a run after the approval was recorded'],
    hangs: true,
  },
  {
    name: 'the starter may approve',
    edits: [
      {
        file: instance('approval'),
        find: "    if (isRequester(actor, awaited)) refuseAction('second-person-required');\n",
        put: '',
      },
    ],
    caughtBy: [test('transfers-approval'), 'refuses the one who started it first'],
  },
  {
    name: 'a continuation forgets what was answered',
    edits: [{ file: instance('continuation'), find: 'answered: answeredActions() }', put: 'answered: {} }' }],
    caughtBy: ['test/contract/instances.test.ts', 'is applied once also when the instance went on in a new run'],
  },
  {
    name: 'a used action is applied again',
    edits: [
      {
        file: instance('actions'),
        find: '    if (earlier !== undefined) return earlier;\n',
        put: '',
      },
    ],
    caughtBy: ['test/contract/instances.test.ts', 'is applied once also when the instance went on in a new run'],
  },
  {
    name: 'the first opening is cut off by a cancel',
    edits: [
      {
        file: transfers,
        find: 'CancellationScope.nonCancellable(() => persistent.openTransfer(',
        put: 'CancellationScope.cancellable(() => persistent.openTransfer(',
      },
    ],
    caughtBy: [test('transfers-cancel'), 'Temporal.*in the permanent row as well, while the database is away'],
  },
  {
    name: 'an ending that contradicts the money stands',
    edits: [
      {
        file: ending,
        find: "      return storeEnding(await refund(ending.outcome === 'cancelled' ? ending : withdrawalUndone), given);",
        put: '      return result;',
      },
    ],
    caughtBy: [test('transfers-reset'), 'returns the money that an earlier run had taken'],
  },
  {
    name: 'a blocked refund is no failure',
    edits: [
      {
        file: 'activities/transfers.ts',
        find: "if (answer.kind === 'blocked') {",
        put: "if ((answer.kind as string) === 'never') {",
      },
    ],
    caughtBy: [test('transfers-stuck'), 'finishes by itself'],
    hangs: true,
  },
];
