import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonPost, startApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';

const seen: unknown[] = [];

/** A schema that notes each value it is asked about. */
const noting = z.unknown().refine((value) => seen.push(value) > 0);

const api = await startApp({
  operations: [
    probe({
      operationId: 'noteThing',
      method: 'POST',
      path: '/v1/things/notes',
      permission: 'things:start',
      cost: 'start',
      process: 'things',
      body: noting,
      handle: () => Promise.resolve({ status: 200, body: {} }),
    }),
  ],
});
afterAll(api.stop);

describe('the schema of a body', () => {
  it('is asked about what is flat enough', async () => {
    expect((await api.send('/v1/things/notes', jsonPost({ a: 1 }))).status).toBe(200);
    expect(seen.splice(0)).toEqual([{ a: 1 }]);
  });

  it.each([33, 1_900])('is never asked about %i arrays in each other', async (depth) => {
    const { status, body } = await api.send('/v1/things/notes', jsonPost('['.repeat(depth) + ']'.repeat(depth)));
    expect([status, body['code']]).toEqual([400, 'malformed-request']);
    expect(seen).toEqual([]);
  });
});
