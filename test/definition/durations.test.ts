import { describe, expect, it } from 'vitest';
import { durationMsOf, isoDuration } from '../../src/definition/durations.ts';

describe('a duration', () => {
  it.each([
    ['PT5M', 300_000],
    ['PT0S', 0],
    ['PT1.5S', 1_500],
    ['P1D', 86_400_000],
    ['P1W', 604_800_000],
    ['P1DT2H3M4S', 93_784_000],
  ])('%s is so many milliseconds', (text, ms) => {
    expect(durationMsOf(text)).toBe(ms);
  });

  it.each(['P', 'PT', 'P1M', 'P1Y', '5m', 'PT5', 'P1DT', '-PT5M', 'PT1H1H', 'PT1.2345S', ''])('%s is none', (text) => {
    expect(durationMsOf(text)).toBeUndefined();
  });

  it('has bounds, which belong to it', () => {
    const duration = isoDuration('PT1S', 'PT15S');
    expect(duration.parse('PT15S')).toBe(15_000);
    expect(duration.safeParse('PT15.001S').success).toBe(false);
    expect(duration.safeParse('PT0.999S').success).toBe(false);
  });
});
