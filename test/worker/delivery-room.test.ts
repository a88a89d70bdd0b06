import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDeliveryRoom } from '../../src/worker/delivery-room.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const slots = 10;

/** A room in which so many receivers have been slow. */
function roomWithSlow(count: number) {
  const room = createDeliveryRoom({ slots });
  const names = Array.from({ length: count }, (_, index) => `slow-${index}`);
  const places = names.map((name) => room.enter(name));
  vi.advanceTimersByTime(3_000);
  return { room, places };
}

describe('the room for deliveries', () => {
  it('takes any receiver that nobody knows to be slow', () => {
    const { room } = roomWithSlow(9);
    expect(room.enter('unknown')).toBeDefined();
  });

  it('gives receivers that hang half of the slots at most', () => {
    const { room, places } = roomWithSlow(5);
    expect(room.enter('slow-0')).toBeUndefined();
    places[0]?.leave();
    expect(room.enter('slow-1')).toBeDefined();
    expect(room.enter('slow-1')).toBeUndefined();
  });

  it('remembers a slow receiver for a minute', () => {
    const { room, places } = roomWithSlow(5);
    for (const place of places) place?.leave();
    for (const name of [0, 1, 2, 3, 4]) expect(room.enter(`slow-${name}`)).toBeDefined();
    expect(room.enter('slow-0')).toBeUndefined();
  });

  it('forgets it after that minute, and once it has been fast again', () => {
    const { room, places } = roomWithSlow(6);
    places[0]?.leave();
    vi.advanceTimersByTime(61_000);
    // Five others still hang.
    const again = room.enter('slow-0');
    expect(again).toBeDefined();
    again?.leave();
    expect(room.enter('slow-0')).toBeDefined();
  });
});
