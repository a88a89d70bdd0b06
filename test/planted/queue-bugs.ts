import type { PlantedBug } from './planted-bug.ts';

const tests = 'test/adapters/queues.test.ts';
const channels = 'src/adapters/queues/rabbit-channels.ts';

/** Bugs of the delivery to queues. */
export const queueBugs: readonly PlantedBug[] = [
  {
    name: 'no confirm of the broker is awaited',
    edits: [
      {
        file: channels,
        find: "    channel.publish('', queue, Buffer.from(body), properties, settle);\n",
        put: "    channel.publish('', queue, Buffer.from(body), properties, () => undefined);\n    settle(null);\n",
      },
    ],
    caughtBy: [tests, 'that does not confirm in time has failed'],
  },
  {
    name: 'a message that no queue takes is confirmed',
    edits: [{ file: channels, find: 'mandatory: true', put: 'mandatory: false' }],
    caughtBy: [tests, 'returns what no queue takes'],
  },
  {
    name: 'what the broker returned counts as delivered',
    edits: [{ file: channels, find: "isReturned ? failed('returned') : ", put: '' }],
    caughtBy: [tests, 'returns what no queue takes'],
  },
  {
    name: 'each attempt has a message id of its own',
    edits: [
      { file: channels, find: '{ messageId, persistent', put: '{ messageId: `${messageId}${Date.now()}`, persistent' },
    ],
    caughtBy: [tests, 'that is killed before its confirm loses nothing'],
  },
  {
    name: 'messages are gone when the broker restarts',
    edits: [{ file: channels, find: 'persistent: true', put: 'persistent: false' }],
    caughtBy: [tests, 'that is killed before its confirm loses nothing'],
  },
  {
    name: 'a lost connection to the broker is not replaced',
    edits: [
      {
        file: 'src/adapters/queues/rabbit-link.ts',
        find: '    state.become(undefined, reasonOf(end));\n    throw end;\n',
        put: '    state.become(undefined, reasonOf(end));\n',
      },
    ],
    caughtBy: [tests, 'that is killed before its confirm loses nothing'],
    hangs: true,
  },
  {
    name: 'a tenant may use the queues of another',
    edits: [
      {
        file: 'src/adapters/queues/queues.ts',
        find: "(each.tenant === '*' || each.tenant === tenant) && ",
        put: '',
      },
    ],
    caughtBy: [tests, 'do not let umbrella use orders'],
  },
];
