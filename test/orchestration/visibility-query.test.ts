import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ListFilter, openInstancesQueryOf, visibilityQueryOf } from '../../src/orchestration/visibility-query.ts';

const request = (filter: Partial<ListFilter> = {}, tenant = 'acme') => ({
  tenant,
  process: 'transfers',
  filter: { labels: {}, ...filter },
});

describe('the query of a list', () => {
  it('always begins with tenant and process, each clause in parentheses', () => {
    expect(visibilityQueryOf(request())).toBe(
      "(PorticoTenant = 'acme') AND (PorticoProcess = 'transfers') AND (ExecutionStatus != 'ContinuedAsNew')",
    );
  });

  it('spells the filters it is given', () => {
    const query = visibilityQueryOf(
      request({
        status: 'running',
        step: 'waiting',
        startedAfter: new Date('2026-01-02T03:04:05Z'),
        labels: { from: 'acc-1' },
      }),
    );
    expect(query).toContain("(ExecutionStatus = 'Running')");
    expect(query).toContain("(PorticoStep = 'waiting' AND ExecutionStatus = 'Running')");
    expect(query).toContain("(StartTime >= '2026-01-02T03:04:05.000Z')");
    expect(query).toContain("(PorticoLabels = 'from:acc-1')");
  });

  it('finds what ended without its own word as well as what said so', () => {
    expect(visibilityQueryOf(request({ outcome: 'cancelled' }))).toContain(
      "((PorticoOutcome = 'cancelled' AND ExecutionStatus = 'Completed') OR ExecutionStatus = 'Canceled')",
    );
  });

  it('counts what runs of a process over all tenants', () => {
    expect(openInstancesQueryOf('transfers')).toBe("(PorticoProcess = 'transfers') AND (ExecutionStatus = 'Running')");
  });

  it('takes no text that could end a literal, whatever its kind', () => {
    const dangerous = fc
      .string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...Array.from('\'"\\`-/*#; ()=%\n\0AZaz09._:')) })
      .filter((text) => !/^[A-Za-z0-9._:-]+$/.test(text));
    fc.assert(
      fc.property(dangerous, (text) => {
        expect(() => visibilityQueryOf(request({}, text))).toThrow(RangeError);
        expect(() => openInstancesQueryOf(text)).toThrow(RangeError);
        expect(() => visibilityQueryOf(request({ step: text }))).toThrow(RangeError);
        expect(() => visibilityQueryOf(request({ outcome: text }))).toThrow(RangeError);
        expect(() => visibilityQueryOf(request({ labels: { from: text } }))).toThrow(RangeError);
        expect(() => visibilityQueryOf(request({ labels: { [text]: 'a' } }))).toThrow(RangeError);
      }),
      { numRuns: 2_000 },
    );
  });
});
