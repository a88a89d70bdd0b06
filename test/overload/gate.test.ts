import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAdmission } from '../../src/overload/admission.ts';
import { usualRules } from '../../src/overload/cost-rules.ts';
import type { Gate, Turn } from '../../src/overload/gate.ts';
import { Problem } from '../../src/problems.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Four of each cost at once, two for those who give way. */
const few = Object.fromEntries(
  Object.entries(usualRules).map(([cost, rules]) => [cost, { ...rules, floor: 4, ceiling: 4, yieldedLimit: 2 }]),
) as unknown as typeof usualRules;

function admissionOfFew() {
  const shed: string[] = [];
  const admission = createAdmission({ countShed: (operation) => shed.push(operation), rules: few });
  const gateOf = (cost: 'start' | 'action' | 'read' | 'list') => admission.gateOf({ operationId: cost, cost });
  return { admission, gateOf, shed };
}

/** What became of a request that asked for a turn. */
interface Asked {
  turn?: Turn;
  retryAfterMs?: number | undefined;
}

function ask(gate: Gate, tenant = 'acme', { signal } = new AbortController()): Asked {
  const asked: Asked = {};
  const refuse = (error: unknown) => {
    if (!(error instanceof Problem) || error.code !== 'overloaded') throw error;
    asked.retryAfterMs = error.options.retryAfterMs ?? 0;
  };
  try {
    const entered = gate.enter(tenant, signal);
    if (entered instanceof Promise) entered.then((turn) => (asked.turn = turn), refuse);
    else asked.turn = entered;
  } catch (error) {
    refuse(error);
  }
  return asked;
}

const askTimes = (times: number, gate: Gate, tenant?: string) => Array.from({ length: times }, () => ask(gate, tenant));

describe('the gate of an operation', () => {
  it('gives turns at once while there is room, and gives each back once', () => {
    const { gateOf } = admissionOfFew();
    const gate = gateOf('start');
    const turns = askTimes(4, gate).map(({ turn }) => turn);
    expect([turns.every((turn) => turn !== undefined), gate.underWay]).toEqual([true, 4]);
    for (const end of ['end', 'drop', 'end'] as const) for (const turn of turns) turn?.[end]();
    expect([gate.underWay, gate.waiting]).toEqual([0, 0]);
  });

  it('lets a tenant that asks little pass one that floods', async () => {
    const { gateOf } = admissionOfFew();
    const gate = gateOf('start');
    const under = askTimes(4, gate, 'flood');
    const flood = askTimes(100, gate, 'flood');
    const other = askTimes(2, gate, 'few');
    for (const { turn } of under) turn?.end();
    await pass(0);
    expect(other.filter(({ turn }) => turn !== undefined)).toHaveLength(2);
    expect(flood.filter(({ turn }) => turn !== undefined)).toHaveLength(2);
  });

  it('lets a tenant in that asks little while another has asked for more than can be served', async () => {
    const { gateOf, shed } = admissionOfFew();
    const gate = gateOf('start');
    const under = askTimes(4, gate, 'flood');
    askTimes(1_000, gate, 'flood');
    expect(shed.length).toBeGreaterThan(700);
    expect(gate.look('few')).toBeUndefined();
    const [asked] = askTimes(1, gate, 'few');
    under[0]?.turn?.end();
    under[1]?.turn?.end();
    await pass(0);
    expect(asked?.turn).toBeDefined();
  });

  it('refuses who has waited for as long as a burst may, and says later times to later ones', async () => {
    const { gateOf, shed } = admissionOfFew();
    const gate = gateOf('start');
    askTimes(4, gate);
    const waiting = askTimes(20, gate);
    await pass(usualRules.start.patienceMs - 1);
    expect([gate.waiting, shed.length]).toEqual([20, 0]);
    await pass(1);
    expect([gate.waiting, gate.underWay, shed.length]).toEqual([0, 4, 20]);
    await pass(1_000);
    const told = waiting.map(({ retryAfterMs = 0 }) => retryAfterMs);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(1_000);
    expect(new Set(told).size).toBeGreaterThan(10);
  });

  it('lets nobody wait for long in a queue that stands', async () => {
    const { gateOf } = admissionOfFew();
    const gate = gateOf('start');
    askTimes(4, gate);
    for (let each = 0; each < 10; each += 1) {
      askTimes(1, gate);
      await pass(60);
    }
    const late = ask(gate);
    await pass(1_030);
    expect(late.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    await pass(1_000);
    const inBurst = ask(gate);
    await pass(1_030);
    expect(inBurst.retryAfterMs).toBeUndefined();
  });

  it('refuses early by a pause', async () => {
    const { gateOf, shed } = admissionOfFew();
    const gate = gateOf('start');
    askTimes(4, gate);
    expect(gate.look('acme')).toBeUndefined();
    askTimes(1_000, gate);
    const countBefore = shed.length;
    let told: unknown;
    void Promise.resolve(gate.look('acme')).catch((error: unknown) => (told = error));
    expect(shed.length).toBe(countBefore + 1);
    await pass(999);
    expect(told).toBeUndefined();
    await pass(1);
    expect(told).toBeInstanceOf(Problem);
  });

  it('keeps nothing of a caller who goes while waiting, and does not count it as shed', async () => {
    const { gateOf, shed } = admissionOfFew();
    const gate = gateOf('start');
    const under = askTimes(4, gate);
    const caller = new AbortController();
    ask(gate, 'acme', caller);
    const next = ask(gate);
    caller.abort();
    await pass(0);
    expect([gate.waiting, shed.length]).toEqual([1, 0]);
    for (const { turn } of under) turn?.end();
    await pass(0);
    next.turn?.drop();
    expect([gate.underWay, gate.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });
});

describe('when a dearer operation is short of room', () => {
  it('lists give way first, then reads, and starts never', () => {
    const { gateOf } = admissionOfFew();
    const [start, read, list] = [gateOf('start'), gateOf('read'), gateOf('list')];
    const atOnce = (gate: Gate) => {
      const turns = askTimes(4, gate).flatMap(({ turn = [] }) => turn);
      for (const turn of turns) turn.drop();
      return turns.length;
    };
    expect([atOnce(read), atOnce(list)]).toEqual([4, 4]);
    askTimes(2, start);
    expect(atOnce(read)).toBe(4);
    expect(atOnce(list)).toBe(2);
  });

  it('reads give way as well once it is full, and have their room again after', async () => {
    const { admission, gateOf } = admissionOfFew();
    const [start, read] = [gateOf('start'), gateOf('read')];
    const under = askTimes(4, start);
    const reads = askTimes(4, read);
    expect(reads.filter(({ turn }) => turn !== undefined)).toHaveLength(2);
    expect(admission.read()).toEqual([
      { operation: 'start', cost: 'start', limit: 4, underWay: 4, waiting: 0 },
      { operation: 'read', cost: 'read', limit: 4, underWay: 2, waiting: 2 },
    ]);
    under[0]?.turn?.end();
    reads[0]?.turn?.end();
    await pass(0);
    expect(reads.filter(({ turn }) => turn !== undefined)).toHaveLength(4);
  });

  it('an action takes no room from a start, nor a list from a read', () => {
    const { gateOf } = admissionOfFew();
    const [start, action, read, list] = [gateOf('start'), gateOf('action'), gateOf('read'), gateOf('list')];
    askTimes(10, action);
    askTimes(10, list);
    expect(askTimes(4, start).every(({ turn }) => turn !== undefined)).toBe(true);
    expect([list.underWay, read.underWay]).toEqual([2, 0]);
  });
});
