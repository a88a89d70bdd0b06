import type { PlantedBug } from './planted-bug.ts';

const gate = 'src/overload/gate.ts';
const latencyLimit = 'src/overload/latency-limit.ts';
const gateTest = 'test/overload/gate.test.ts';
const limitTest = 'test/overload/latency-limit.test.ts';
const turnsTest = 'test/http/turns.test.ts';
const adminTest = 'test/contract/admin.test.ts';
const batchTest = 'test/http/batch.test.ts';

/** Bugs of how requests are admitted, and sent away. */
export const loadBugs: readonly PlantedBug[] = [
  {
    name: 'the limit stays where it is',
    edits: [{ file: latencyLimit, find: 'if (meanMs > slowMs) {', put: 'if (meanMs > 1e9 * slowMs) {' }],
    caughtBy: [limitTest, 'falls while requests take much longer than usual'],
  },
  {
    name: 'the limit does not recover',
    edits: [{ file: latencyLimit, find: 'limit + Math.sqrt(limit)', put: 'limit' }],
    caughtBy: [limitTest, 'and recovers after'],
  },
  {
    name: 'a long overload is soon the usual',
    edits: [{ file: latencyLimit, find: 'const usualAfterMs = 600_000;', put: 'const usualAfterMs = 10_000;' }],
    caughtBy: [limitTest, 'does not take an overload of minutes for usual'],
  },
  {
    name: 'all tenants wait in one line',
    edits: [
      {
        file: gate,
        find: 'queue.enter(tenant, patienceMs(now), signal)',
        put: "queue.enter('', patienceMs(now), signal)",
      },
    ],
    caughtBy: [gateTest, 'lets a tenant that asks little pass one that floods'],
  },
  {
    name: 'the room to wait is shared by all tenants',
    edits: [{ file: gate, find: 'queue.waitingIn(tenant) >=', put: 'queue.waiting >=' }],
    caughtBy: [gateTest, 'lets a tenant in that asks little while another has asked for more'],
  },
  {
    name: 'a queue that stands is waited in as long as a burst',
    edits: [{ file: gate, find: 'const standsAfterMs = 500;', put: 'const standsAfterMs = 500_000;' }],
    caughtBy: [gateTest, 'lets nobody wait for long in a queue that stands'],
  },
  {
    name: 'lists do not give way',
    edits: [{ file: 'src/overload/cost-rules.ts', find: 'yieldsAt: 0.5,', put: 'yieldsAt: 50,' }],
    caughtBy: [gateTest, 'lists give way first'],
  },
  {
    name: 'starts give way to actions',
    edits: [{ file: 'src/overload/admission.ts', find: 'other > rank', put: 'other >= rank' }],
    caughtBy: [gateTest, 'an action takes no room from a start'],
  },
  {
    name: 'who goes while waiting still gets a turn',
    edits: [{ file: 'src/timing/fair-gate.ts', find: "signal?.addEventListener('abort', giveUp);", put: '' }],
    caughtBy: ['test/timing/fair-gate.test.ts', 'forgets who has gone'],
  },
  {
    name: 'a gate does not hear that its caller goes',
    edits: [
      {
        file: gate,
        find: 'queue.enter(tenant, patienceMs(now), signal)',
        put: 'queue.enter(tenant, patienceMs(now))',
      },
    ],
    caughtBy: [turnsTest, 'keeps no room for a caller who went while waiting'],
  },
  {
    name: 'who asks again and again is refused at once',
    edits: [{ file: gate, find: 'const refusalPauseMs = 1_000;', put: 'const refusalPauseMs = 0;' }],
    caughtBy: [gateTest, 'refuses early by a pause'],
  },
  {
    name: 'a turn that took too long is never given back',
    edits: [{ file: 'src/http/answering.ts', find: 'call.endTurn();', put: '' }],
    caughtBy: [turnsTest, 'gives back the room of a handler that fails or takes too long'],
  },
  {
    name: 'a handler that fails keeps its turn',
    edits: [
      { file: 'src/http/answering.ts', find: 'else turn.drop();', put: '' },
      { file: 'src/http/answering.ts', find: 'call.endTurn();', put: '' },
    ],
    caughtBy: [turnsTest, 'gives back the room of a handler that fails or takes too long'],
  },
  {
    name: 'requests without room are heard to their end',
    edits: [
      {
        file: 'src/http/room.ts',
        find: 'routeOf(request).config.gate?.look(tenantOf(request));',
        put: 'void [routeOf, tenantOf, request];',
      },
    ],
    caughtBy: [turnsTest, 'refuses before the body has come'],
    hangs: true,
  },
  {
    name: 'everybody is told to come back in a second',
    edits: [
      {
        file: gate,
        find: 'const retryAfterMs = returnAfterMs(queue.waiting);',
        put: 'const retryAfterMs = 0 * returnAfterMs(0) + 1_000;',
      },
    ],
    caughtBy: ['test/overload/herd.test.ts', 'never come as a herd'],
  },
  {
    name: 'a start that waits for its result has a turn',
    edits: [{ file: 'src/operations/start.ts', find: '  endTurn();', put: '' }],
    caughtBy: [adminTest, 'has no turn for callers who wait'],
  },
  {
    name: 'a read that waits for a result has a turn',
    edits: [{ file: 'src/operations/reads.ts', find: 'if (mustWait) call.endTurn();', put: '' }],
    caughtBy: [adminTest, 'has no turn for callers who wait'],
  },
  {
    name: 'retries have no budget',
    edits: [{ file: 'src/orchestration/retry-budget.ts', find: 'if (allowed < 1) return false;', put: '' }],
    caughtBy: ['test/orchestration/retry-budget.test.ts', 'lets a burst be retried, and an outage no more than ten'],
  },
  {
    name: 'success pays for no retry',
    edits: [{ file: 'src/orchestration/retry-budget.ts', find: 'const share = 0.1;', put: 'const share = 0;' }],
    caughtBy: ['test/orchestration/retry-budget.test.ts', 'lets a tenth of what succeeds be retried'],
  },
  {
    name: 'a batch forgets which items are about one instance',
    edits: [
      {
        file: 'src/operations/batch.ts',
        find: 'if (instance !== undefined) byInstance.set(instance, queue);',
        put: '',
      },
    ],
    caughtBy: [batchTest, 'is kept for each instance'],
  },
  {
    name: 'a batch goes on behind an item that has to come again',
    edits: [{ file: 'src/operations/batch.ts', find: 'if (answer.isRetryable) failed = answer;', put: '' }],
    caughtBy: [batchTest, 'holds back what follows a retryable problem'],
  },
  {
    name: 'an item needs no permission',
    edits: [{ file: 'src/http/items.ts', find: 'requirePermission(principal, operation.permission);', put: '' }],
    caughtBy: [batchTest, 'needs its own permission'],
  },
  {
    name: 'a batch costs the quota of one start',
    edits: [
      {
        file: 'src/http/rate-limit.ts',
        find: 'facts.limitItem = (costOfItem) => byCost[costOfItem].pass(principal);',
        put: 'byCost.start.pass(principal); facts.limitItem = () => undefined;',
      },
    ],
    caughtBy: [batchTest, 'costs its subject what it costs alone'],
  },
];
