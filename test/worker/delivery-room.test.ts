import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDeliveryRoom } from '../../src/worker/delivery-room.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const slots = 10;

/** A room that knows receivers by one name each. */
function openRoom(limits: { readonly slots: number; readonly perReceiver: number }) {
  const room = createDeliveryRoom(limits);
  return {
    enter: (name: string, tenant = 'acme', signal?: AbortSignal) =>
      room.enter({ tenant, receiver: name, suspect: name, signal }),
  };
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

describe('receivers that hang', () => {
  /** A room in which so many receivers have been slow. */
  async function roomWithSlow(count: number) {
    const room = openRoom({ slots, perReceiver: 2 });
    const names = Array.from({ length: count }, (_, index) => `slow-${index}`);
    const places = await Promise.all(names.map((name) => room.enter(name, `tenant of ${name}`)));
    await seconds(3);
    return { ...room, places };
  }

  it('keep none out that nobody knows to be slow', async () => {
    const { enter } = await roomWithSlow(9);
    expect(await enter('unknown')).toBeDefined();
  });

  it('get half of the slots at most', async () => {
    const { enter, places } = await roomWithSlow(5);
    expect(await enter('slow-0')).toBeUndefined();
    places[0]?.leave();
    expect(await enter('slow-1')).toBeDefined();
    expect(await enter('slow-2')).toBeUndefined();
  });

  it('are remembered for a minute', async () => {
    const { enter, places } = await roomWithSlow(5);
    for (const place of places) place?.leave();
    for (const index of [0, 1, 2, 3, 4]) expect(await enter(`slow-${index}`)).toBeDefined();
    expect(await enter('slow-0')).toBeUndefined();
  });

  it('are forgotten after that minute', async () => {
    const { enter, places } = await roomWithSlow(6);
    places[0]?.leave();
    await seconds(30);
    expect(await enter('slow-0')).toBeUndefined();
    await seconds(31);
    // Five others still hang.
    expect(await enter('slow-0')).toBeDefined();
  });
});

describe('one receiver', () => {
  it('gets its places and no more, and the others wait two seconds for one', async () => {
    const { enter } = openRoom({ slots: 1_000, perReceiver: 100 });
    const entering = Array.from({ length: 500 }, () => enter('hangs'));
    await seconds(1);
    expect(await enter('another')).toBeDefined();
    await seconds(2);
    const entered = await Promise.all(entering);
    expect(entered.filter((place) => place !== undefined)).toHaveLength(100);
  });

  it('that hangs is waited for by nobody', async () => {
    const { enter } = openRoom({ slots, perReceiver: 1 });
    await enter('hangs');
    await seconds(3);
    const refused: unknown[] = [];
    for (let count = 0; count < 3; count += 1) void enter('hangs').then((place) => refused.push(place));
    await seconds(0.1);
    expect(refused).toEqual([undefined, undefined, undefined]);
  });

  it('that is fast lets all in who came within these seconds', async () => {
    const { enter } = openRoom({ slots: 1_000, perReceiver: 100 });
    const served = Array.from({ length: 1_000 }, async () => {
      const place = await enter('fast');
      setTimeout(() => place?.leave(), 100);
      return place;
    });
    await seconds(3);
    expect(await Promise.all(served)).not.toContain(undefined);
  });

  it('serves tenants in turn', async () => {
    const { enter } = openRoom({ slots, perReceiver: 1 });
    const first = await enter('shared', 'acme');
    const order: string[] = [];
    const waiting = ['acme', 'acme', 'umbrella'].map(async (tenant) => {
      const place = await enter('shared', tenant);
      order.push(tenant);
      place?.leave();
    });
    first?.leave();
    await Promise.all(waiting);
    expect(order).toEqual(['acme', 'umbrella', 'acme']);
  });

  it('keeps no place for an attempt that was given up', async () => {
    const { enter } = openRoom({ slots, perReceiver: 1 });
    const first = await enter('shared');
    const giving = new AbortController();
    const waiting = enter('shared', 'acme', giving.signal);
    giving.abort();
    expect(await waiting).toBeUndefined();
    first?.leave();
    expect(await enter('shared')).toBeDefined();
  });
});

describe('one tenant with a new receiver each time', () => {
  /** A room in which a tenant tries so many receivers at once, and how many of them got a place. */
  async function crowded(count: number) {
    const room = openRoom({ slots: 100, perReceiver: 10 });
    const places = await Promise.all(Array.from({ length: count }, (_, index) => room.enter(`new-${index}`, 'crowd')));
    return { ...room, places, taken: places.filter((place) => place !== undefined).length };
  }

  it('gets a quarter of the slots while they are scarce, and leaves the others to others', async () => {
    const { enter, taken } = await crowded(100);
    expect(taken).toBe(50);
    expect(await enter('one more', 'crowd')).toBeUndefined();
    const others = await Promise.all(Array.from({ length: 25 }, (_, index) => enter(`other-${index}`, 'other')));
    expect(others).not.toContain(undefined);
  });

  it('gets what it asks for while there is room', async () => {
    expect((await crowded(40)).taken).toBe(40);
  });

  it('is held back no more where the receivers were fast', async () => {
    const { enter, places } = await crowded(50);
    for (const place of places) place?.leave();
    const again = await Promise.all(Array.from({ length: 50 }, (_, index) => enter(`new-${index}`, 'crowd')));
    expect(again).not.toContain(undefined);
    const more = await Promise.all(Array.from({ length: 50 }, (_, index) => enter(`new-${index}`, 'crowd')));
    expect(more).not.toContain(undefined);
  });
});
