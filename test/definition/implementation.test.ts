import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as kinds from '../../src/config/kinds.ts';
import type { ImplementationRule } from '../../src/definition/definition.ts';
import { implementationOf, withShares } from '../../src/definition/implementation.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { settingsWith } from '../harness/settings.ts';

const withRules = (...rules: ImplementationRule[]) => ({
  ...probesV1,
  implementations: rules.map((when, index) => ({ workflow: `other${index}`, when })),
});
const start = (given: { tenant?: string; key?: string; input?: Record<string, unknown> } = {}) => ({
  tenant: 'acme',
  key: 'k',
  input: {},
  ...given,
});

describe('which implementation a start runs', () => {
  it("is the definition's own where no rule fits", () => {
    expect(implementationOf(withRules({ tenants: ['other'] }), start())).toBe('probes');
  });

  it('follows tenant and input field, the first rule first', () => {
    const definition = withRules({ tenants: ['early'] }, { field: 'amount.currency', equals: 'EUR' });
    const euros = { amount: { currency: 'EUR' } };
    expect(implementationOf(definition, start({ tenant: 'early', input: euros }))).toBe('other0');
    expect(implementationOf(definition, start({ input: euros }))).toBe('other1');
    expect(implementationOf(definition, start({ input: { amount: { currency: 'USD' } } }))).toBe('probes');
    expect(implementationOf(definition, start({ input: { amount: 'EUR' } }))).toBe('probes');
  });

  it('takes about the share it is given, and for one key always the same', () => {
    const definition = withRules({ share: 0.25 });
    const keys = Array.from({ length: 4_000 }, (_, index) => `key-${index}`);
    const chosen = keys.filter((key) => implementationOf(definition, start({ key })) === 'other0');
    expect(chosen.length / keys.length).toBeGreaterThan(0.22);
    expect(chosen.length / keys.length).toBeLessThan(0.28);
    expect(keys.filter((key) => implementationOf(definition, start({ key })) === 'other0')).toEqual(chosen);
  });

  it('keeps every key it had when the share grows', () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key-${index}`);
    const at = (share: number) =>
      keys.filter((key) => implementationOf(withRules({ share }), start({ key })) === 'other0');
    expect(at(0)).toEqual([]);
    expect(at(1)).toEqual(keys);
    const larger = new Set(at(0.5));
    expect(at(0.1).filter((key) => !larger.has(key))).toEqual([]);
  });

  it('takes the share that a setting says, and refuses to choose before it is read', () => {
    const settings = z.object({ newShare: kinds.share.prefault('0').describe('How many.') });
    const declared = { ...withRules({ shareSetting: 'newShare' }, { tenants: ['early'] }), settings };
    const set = (newShare: number) => withShares([declared], settingsWith(settings, { newShare }))[0] ?? declared;
    expect(implementationOf(set(0), start())).toBe('probes');
    expect(implementationOf(set(0), start({ tenant: 'early' }))).toBe('other1');
    expect(implementationOf(set(1), start())).toBe('other0');
    expect(() => implementationOf(declared, start())).toThrow('nobody has read the setting newShare');
  });
});
