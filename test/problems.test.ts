import { expect, it } from 'vitest';
import { Problem } from '../src/problems.ts';

it('notes where our own faults were thrown, and of others nothing', () => {
  const { stackTraceLimit } = Error;
  expect(new Problem('internal').stack).toContain('problems.test.ts');
  expect(new Problem('forbidden').stack).not.toContain('problems.test.ts');
  expect(Error.stackTraceLimit).toBe(stackTraceLimit);
});
