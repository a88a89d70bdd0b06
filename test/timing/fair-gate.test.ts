import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createFairGate } from '../../src/timing/fair-gate.ts';

const long = 60_000;

/** A gate whose slots are all taken, and the order in which those who wait get one. */
function fullGate(slots: number) {
  const gate = createFairGate({ slots: () => slots });
  for (let each = 0; each < slots; each += 1) expect(gate.enter('first', long)).toBe(true);
  const admitted: string[] = [];
  const wait = (lane: string, name: string, patienceMs = long) =>
    Promise.resolve(gate.enter(lane, patienceMs)).then((isIn) => {
      if (isIn) admitted.push(name);
      return isIn;
    });
  /** Gives back a slot that many times, and lets those who got one say so. */
  const leave = async (times = 1) => {
    for (let each = 0; each < times; each += 1) gate.leave();
    await sleep(0);
  };
  return { gate, admitted, wait, leave };
}

describe('a fair gate', () => {
  it('lets in at once while there are slots, and counts them', () => {
    const gate = createFairGate({ slots: () => 2 });
    expect([gate.enter('a', long), gate.enter('b', long)]).toEqual([true, true]);
    expect([gate.taken, gate.waiting]).toEqual([2, 0]);
    gate.leave();
    expect(gate.taken).toBe(1);
  });

  it('serves the lanes in turn, and each in order', async () => {
    const { gate, admitted, wait, leave } = fullGate(1);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2']) void wait(name.slice(0, 1), name);
    expect([gate.waiting, gate.waitingIn('a'), gate.waitingIn('x')]).toEqual([7, 4, 0]);
    for (let each = 0; each < 7; each += 1) await leave();
    expect(admitted).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
    expect([gate.taken, gate.waiting]).toEqual([1, 0]);
  });

  it('lets nobody overtake who waits, also where slots became more', async () => {
    let slots = 1;
    const gate = createFairGate({ slots: () => slots });
    void gate.enter('a', long);
    const early = gate.enter('a', long);
    slots = 2;
    const late = gate.enter('a', long);
    expect(late).toBeInstanceOf(Promise);
    expect(await early).toBe(true);
    expect([gate.taken, gate.waiting]).toEqual([2, 1]);
    gate.leave();
    expect(await late).toBe(true);
  });

  it('lets nobody in while more slots are taken than there are', async () => {
    let slots = 3;
    const gate = createFairGate({ slots: () => slots });
    for (let each = 0; each < 3; each += 1) void gate.enter('a', long);
    slots = 1;
    const waiting = gate.enter('a', long);
    gate.leave();
    gate.leave();
    expect(gate.waiting).toBe(1);
    gate.leave();
    expect(await waiting).toBe(true);
    expect(gate.taken).toBe(1);
  });

  it('forgets who has lost patience, and gives the slot to the next', async () => {
    const { gate, admitted, wait, leave } = fullGate(1);
    const impatient = wait('a', 'impatient', 5);
    void wait('a', 'patient');
    expect(await impatient).toBe(false);
    expect([gate.taken, gate.waiting]).toEqual([1, 1]);
    await leave();
    expect(admitted).toEqual(['patient']);
    await leave();
    expect([gate.taken, gate.waiting, gate.waitingIn('a')]).toEqual([0, 0, 0]);
  });

  it('forgets who has gone, and lets nobody wait who has gone before', async () => {
    const { gate, leave } = fullGate(1);
    const caller = new AbortController();
    const gone = gate.enter('a', long, caller.signal);
    const next = gate.enter('a', long);
    caller.abort();
    expect([gate.taken, gate.waiting]).toEqual([1, 1]);
    expect(await gone).toBe(false);
    expect(await gate.enter('a', long, caller.signal)).toBe(false);
    await leave();
    expect(await next).toBe(true);
    expect([gate.taken, gate.waiting, gate.waitingIn('a')]).toEqual([1, 0, 0]);
  });

  it('keeps the slot of who goes after getting it', async () => {
    const { gate, leave } = fullGate(1);
    const caller = new AbortController();
    const admitted = gate.enter('a', long, caller.signal);
    await leave();
    caller.abort();
    expect(await admitted).toBe(true);
    expect([gate.taken, gate.waiting]).toEqual([1, 0]);
  });
});
