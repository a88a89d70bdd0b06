import type { PlantedBug } from './planted-bug.ts';

const guard = 'test/adapters/webhooks/guard.test.ts';
const resolve = 'test/adapters/webhooks/resolve.test.ts';
const send = 'test/adapters/webhooks/send.test.ts';
const contract = 'test/contract/delayed-tasks.test.ts';

/** Bugs of what is delivered to others. */
export const deliveryBugs: readonly PlantedBug[] = [
  {
    name: 'the guard of webhooks looks at names alone',
    edits: [
      {
        file: 'src/adapters/webhooks/urls.ts',
        find: 'if (isIP(host) !== 0 && !isAllowedAddress(host))',
        put: "if (host === '' && !isAllowedAddress(host))",
      },
    ],
    caughtBy: [guard, 'is refused when it is named and when it is delivered to'],
  },
  {
    name: 'the guard of webhooks looks at names when they are named alone',
    edits: [
      {
        file: 'src/adapters/webhooks/connector.ts',
        find: 'if (!answers.every(({ address }) => isAllowedAddress(address)))',
        put: 'if (answers.length === 0)',
      },
    ],
    caughtBy: [guard, 'is a name that was public when it was named'],
  },
  {
    name: 'the guard of webhooks looks at one address of a name',
    edits: [
      {
        file: 'src/adapters/webhooks/connector.ts',
        find: 'if (!answers.every(({ address }) => isAllowedAddress(address)))',
        put: 'if (!answers.some(({ address }) => isAllowedAddress(address)))',
      },
    ],
    caughtBy: [resolve, 'to many.example connects to none of its addresses'],
  },
  {
    name: 'a webhook looks its name up before it connects, and once more then',
    edits: [
      {
        file: 'src/adapters/webhooks/connector.ts',
        find: '        if (all === true) done(null, answers);\n',
        put: '        if (all === true) void resolve(host).then((again) => done(null, again));\n',
      },
    ],
    caughtBy: [resolve, 'connects to what it judged'],
  },
  {
    name: 'each attempt has an id of its own',
    edits: [
      {
        file: 'src/adapters/webhooks/signatures.ts',
        find: "    'webhook-id': id,\n",
        put: "    'webhook-id': `${id}-${sentAt.getTime()}`,\n",
      },
    ],
    caughtBy: [send, 'keeps its id, says its own time'],
  },
  {
    name: 'a webhook follows redirects',
    edits: [
      {
        file: 'src/adapters/webhooks/post.ts',
        find: "const answer = await client.request({ method: 'POST', path, headers, body, signal });",
        put: "let answer = await client.request({ method: 'POST', path, headers, body, signal });\n      const next = answer.headers.location;\n      if (typeof next === 'string') answer = (await fetch(next, { method: 'POST' })) as never;",
      },
    ],
    caughtBy: [send, 'does not follow a 302'],
  },
  {
    name: 'the secret of an endpoint is logged',
    edits: [
      {
        file: 'src/operations/resources/endpoints.ts',
        find: '      return { status: 200, body: { ...bodyOf(rotated), secret: rotated?.secret } };\n',
        put: '      throw new Error(`rotated to ${rotated?.secret}`);\n',
      },
    ],
    caughtBy: ['test/contract/endpoints.test.ts', 'no secret and no URL of an endpoint is in the log'],
  },
  {
    name: 'a 410 disables nothing',
    edits: [
      {
        file: 'src/adapters/webhooks/send.ts',
        find: '    if (isGone && (await endpoints.disableGone(key, read))) onGone?.();\n',
        put: '',
      },
    ],
    caughtBy: ['test/adapters/webhooks/endpoints.test.ts', 'is disabled by a 410'],
  },
  {
    name: 'receivers that hang take every place',
    edits: [
      {
        file: 'src/worker/delivery-room.ts',
        find: '      if (isSlow && slow >= slots / 2) return undefined;\n',
        put: '',
      },
    ],
    caughtBy: ['test/worker/delivery-room.test.ts', 'receivers that hang get half of the slots at most'],
  },
  {
    name: 'a delivery without a place counts as an attempt',
    edits: [
      {
        file: 'src/adapters/webhooks/send.ts',
        find: '  if (place === undefined) {\n    message.signal?.throwIfAborted();\n    return undefined;\n  }\n',
        put: "  if (place === undefined) return failed('busy');\n",
      },
    ],
    caughtBy: ['test/activities/deliveries.test.ts', 'the rest are put off and no attempts'],
  },
  {
    name: 'dead letters that wait are not counted',
    edits: [
      {
        file: 'src/observability/open-instances.ts',
        find: 'for (const step of waits)',
        put: 'for (const step of [...waits].slice(waits.size))',
      },
    ],
    caughtBy: [contract, 'count an attempt once'],
    hangs: true,
  },
  {
    name: 'an attempt is counted twice',
    edits: [
      {
        file: 'activities/delayed-tasks.ts',
        find: '    observe(delivery);\n',
        put: '    observe(delivery);\n    observe(delivery);\n',
      },
    ],
    caughtBy: [contract, 'count an attempt once'],
  },
];
