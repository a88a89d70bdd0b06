import { describe, expect, it } from 'vitest';
import { createPortico } from '../../client/src/index.ts';
import { operations } from '../../client/src/operations.ts';
import { operations as served } from '../../src/operations/index.ts';

describe('every operation', () => {
  const rows = Object.entries(operations);

  it('is in the table of the client, as it is served', () => {
    expect(rows.map(([id, { method, path }]) => `${id} ${method} ${path}`).sort()).toEqual(
      served.map(({ operationId, method, path }) => `${operationId} ${method} ${path}`).sort(),
    );
  });

  it('has one name of its own, which a call has', () => {
    const names = rows.map(([, { resource, call }]) => `${resource}.${call}`);
    expect(new Set(names).size).toBe(names.length);
    const portico = createPortico({ baseUrl: 'http://localhost', token: () => '' }) as unknown as Record<
      string,
      unknown
    >;
    for (const [, { resource, call }] of rows) {
      const calls = portico[resource];
      const isAlone = typeof calls === 'function';
      expect(typeof (isAlone ? calls : (calls as Record<string, unknown>)[call]), `${resource}.${call}`).toBe(
        'function',
      );
    }
  });
});
