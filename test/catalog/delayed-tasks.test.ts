import { describe, expect, it } from 'vitest';
import { deliveryBodyOf, deliveryIdOf } from '../../src/catalog/delayed-tasks/delivery.ts';

const task = { tenant: 'acme', key: 'reminder.7', generation: 1 };

describe('what is delivered', () => {
  it('has an id without a dot, of tenant, key and generation', () => {
    const ids = [
      deliveryIdOf(task),
      deliveryIdOf({ ...task, tenant: 'other' }),
      deliveryIdOf({ ...task, key: 'reminder.8' }),
      deliveryIdOf({ ...task, generation: 2 }),
    ];
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^dt_[A-Za-z0-9_-]{43}$/);
    // Receivers deduplicate by it across releases.
    expect(deliveryIdOf(task)).toBe('dt_AZknkbthItaSBF7Uw0gwp-S9Ha4o6A4y0rK6z-8sEFw');
  });

  it('is the same bytes for ever, below 20 kB', () => {
    const body = deliveryBodyOf(task, { dueAt: '2028-03-26T01:30:00.000Z', payload: { b: 1, a: ['ü', 1e21] } });
    expect(body).toBe(
      `{"dueAt":"2028-03-26T01:30:00.000Z","id":"${deliveryIdOf(task)}","payload":{"a":["ü",1e+21],"b":1},"taskId":"reminder.7","type":"delayed-task.due"}`,
    );
    const longest = { tenant: 't'.repeat(64), key: 'k'.repeat(128), generation: 1 };
    const largest = deliveryBodyOf(longest, { dueAt: '2028-03-26T01:30:00.000Z', payload: 'x'.repeat(16_382) });
    expect(Buffer.byteLength(largest)).toBeLessThan(20_000);
  });
});
