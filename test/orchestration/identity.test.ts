import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  actionFingerprintOf,
  fingerprintInRequestId,
  fingerprintOf,
  hashedKey,
  parseWorkflowId,
  requestIdOf,
  updateIdOf,
  workflowIdOf,
} from '../../src/orchestration/identity.ts';

const name = (maxLength: number) =>
  fc.stringMatching(/^[A-Za-z0-9._:-]+$/, { maxLength }).filter((text) => text !== '');
const ref = fc.record({
  tenant: name(64),
  process: name(20),
  key: name(128),
  generation: fc.integer({ min: 1, max: 9_999 }),
});

describe('an instance id', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(ref, (given) => {
        expect(parseWorkflowId(workflowIdOf(given))).toEqual(given);
      }),
    );
  });

  it('is never the id of another instance', () => {
    fc.assert(
      fc.property(ref, ref, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(workflowIdOf(one)).not.toBe(workflowIdOf(other));
      }),
    );
  });

  it('shows no number for the first generation', () => {
    expect(workflowIdOf({ tenant: 'acme', process: 'transfers', key: 't-1' })).toBe('acme/transfers/t-1');
    expect(workflowIdOf({ tenant: 'acme', process: 'transfers', key: 't-1', generation: 2 })).toBe(
      'acme/transfers/t-1~2',
    );
  });

  it.each(['', 'a/b', 'a~2', 'a b', 'é', 'a%2fb', '\n'])('refuses the key %j', (key) => {
    expect(() => workflowIdOf({ tenant: 'acme', process: 'transfers', key })).toThrow(RangeError);
  });

  it('refuses to become longer than the column that holds it', () => {
    expect(() => workflowIdOf({ tenant: 't'.repeat(64), process: 'p'.repeat(64), key: 'k'.repeat(126) })).toThrow(
      RangeError,
    );
  });

  it.each(['', 'acme/transfers', 'acme/transfers/a/b', 'acme/transfers/a~x', 'acme/transfers/a~01'])(
    'does not take %j for one of ours',
    (id) => expect(parseWorkflowId(id)).toBeUndefined(),
  );
});

describe('a fingerprint', () => {
  const start = { tenant: 'acme', process: 'transfers', body: { a: '1', b: { c: [1, 2], d: 'é' } } };

  it('does not see the order of members', () => {
    const reordered = { ...start, body: { b: { d: 'é', c: [1, 2] }, a: '1' } };
    expect(fingerprintOf(reordered)).toBe(fingerprintOf(start));
  });

  it.each([
    { ...start, tenant: 'other' },
    { ...start, process: 'other' },
    { ...start, body: { ...start.body, a: '2' } },
    { ...start, body: { ...start.body, a: 1 } },
    { ...start, body: { ...start.body, extra: null } },
    { ...start, body: { a: '1', b: { c: [2, 1], d: 'é' } } },
  ])('sees another %j', (other) => expect(fingerprintOf(other)).not.toBe(fingerprintOf(start)));

  it('does not change from one release to the next', () => {
    // sha256 of ["f1","acme","transfers",{"a":"1"}]
    expect(fingerprintOf({ tenant: 'acme', process: 'transfers', body: { a: '1' } })).toBe(
      'f1.45fe40610f4cda09b06cf40462cab3bcbb98dcd8581a7fd16fbcce73f53340af',
    );
  });

  it('is found in the request id of a start, and in no other request id', () => {
    const fingerprint = fingerprintOf(start);
    expect(fingerprintInRequestId(requestIdOf(fingerprint))).toBe(fingerprint);
    expect(requestIdOf(fingerprint)).not.toBe(requestIdOf(fingerprint));
    expect(fingerprintInRequestId('01a1fc4f-f3bd-76b0-928d-58fb92782e4c')).toBeUndefined();
    expect(fingerprintInRequestId(`f2.${fingerprint}.x`)).toBeUndefined();
  });
});

describe('an action id', () => {
  const actor = { iss: 'i', sub: 's' };

  it('names the action, so that one can never answer another', () => {
    expect(updateIdOf('approve', 'k', 'x')).not.toBe(updateIdOf('reject', 'k', 'x'));
  });

  it("is the caller's key where there is one, and never looks like a digest", () => {
    expect(updateIdOf('approve', 'k', 'one')).toBe(updateIdOf('approve', 'k', 'other'));
    expect(updateIdOf('approve', undefined, 'one')).not.toBe(updateIdOf('approve', undefined, 'other'));
    expect(updateIdOf('approve', 'd.one', 'x')).not.toBe(updateIdOf('approve', undefined, 'one'));
  });

  it('tells subjects of two issuers apart', () => {
    const one = actionFingerprintOf({ actor, body: {} });
    expect(actionFingerprintOf({ actor: { ...actor, iss: 'other' }, body: {} })).not.toBe(one);
    expect(actionFingerprintOf({ actor: { iss: 'is', sub: '' }, body: {} })).not.toBe(one);
  });
});

it('a hashed key hides the key and fits an id', () => {
  const hashed = hashedKey('ann@example.com');
  expect(hashed).toBe(hashedKey('ann@example.com'));
  expect(hashed).not.toContain('ann');
  expect(() => workflowIdOf({ tenant: 't', process: 'p', key: hashed })).not.toThrow();
});
