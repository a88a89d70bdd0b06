import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { databaseFailureOf, schemaWaitOf } from '../../src/database/failures.ts';

describe('what a caller gets for an error of the driver', () => {
  const sqlError = (state: string) =>
    Object.assign(new pg.DatabaseError('from the server', 0, 'error'), { code: state });

  it.each(['08006', '57P01', '57P02', '57P03', '57014', '40001', '40P01', '55P03', '53300', '25006', '25P03'])(
    'may be retried after %s',
    (state) => {
      const cause = sqlError(state);
      expect(databaseFailureOf(cause, { unknownEffect: false })).toMatchObject({
        code: 'database-unavailable',
        kind: { retryable: true },
        cause,
      });
    },
  );

  it.each([
    ['42P01', 'missing-table'],
    ['42703', 'missing-column'],
    ['42501', 'missing-right'],
  ])('waits for a migration after %s, which changed nothing', (state, wait) => {
    const failure = databaseFailureOf(sqlError(state), { unknownEffect: true });
    expect(failure).toMatchObject({ code: 'database-unavailable', kind: { retryable: true, effect: 'none' } });
    expect((failure as { options: { effect?: string } }).options.effect).toBeUndefined();
    expect(schemaWaitOf(failure)).toBe(wait);
    expect(schemaWaitOf(databaseFailureOf(sqlError('57P01'), { unknownEffect: false }))).toBeUndefined();
  });

  it.each(['23503', '23505', '23514', '42601', '42883', '22003'])('is the error itself for %s', (state) => {
    const error = sqlError(state);
    expect(databaseFailureOf(error, { unknownEffect: true })).toBe(error);
  });

  it.each([
    ['the server refused', sqlError('40001'), undefined],
    ['the server broke off', sqlError('57P01'), 'unknown'],
    ['the connection was lost', new Error('Connection terminated unexpectedly'), 'unknown'],
  ])('has an unknown effect only where the server may have done it: %s', (_, error, effect) => {
    const failure = databaseFailureOf(error, { unknownEffect: true });
    expect(failure).toHaveProperty('code', 'database-unavailable');
    expect((failure as { options: { effect?: string } }).options.effect).toBe(effect);
  });

  it('is a fault of ours when a parameter cannot be sent', () => {
    const error = new TypeError('cannot serialize');
    expect(databaseFailureOf(error, { unknownEffect: true })).toBe(error);
  });
});
