import { describe, expect, it } from 'vitest';
import {
  exactFigure,
  figureOf,
  foreignShare,
  median,
  quantile,
  ratioOf,
  type Sample,
} from '../../bench/method/arithmetic.ts';

const quiet = (value: number): Sample => ({ value, isQuiet: true });
const noisy = (value: number): Sample => ({ value, isQuiet: false });

describe('quantiles', () => {
  it('are values that there are, whatever their order', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 50, 99, 100]);
  });

  it('of a single value are that value', () => {
    expect([quantile([7], 0.01), quantile([7], 0.99)]).toEqual([7, 7]);
  });

  it('of nothing are no number', () => {
    expect([quantile([], 0.5), median([])]).toEqual([Number.NaN, Number.NaN]);
  });

  it('leave what they are given in its order', () => {
    const values = [3, 1, 2];
    quantile(values, 0.5);
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('the median', () => {
  it('is the middle value, or the mean of the two', () => {
    expect([median([9, 1, 5]), median([1, 2, 10, 4])]).toEqual([5, 3]);
  });
});

describe('the share of others', () => {
  it('is what was busy beyond our own, of all cores', () => {
    expect(foreignShare({ wallMs: 1_000, cores: 2, busyMs: 1_500, ownMs: 1_000 })).toBe(0.25);
  });

  it('is none where clocks disagree by a little', () => {
    expect(foreignShare({ wallMs: 1_000, cores: 2, busyMs: 990, ownMs: 1_000 })).toBe(0);
  });
});

describe('a figure', () => {
  it('leaves noisy windows out, and shows the spread of the others', () => {
    expect(figureOf([quiet(10), noisy(1_000), quiet(12), quiet(11)])).toEqual({
      value: 11,
      low: 10,
      high: 12,
      quiet: 3,
      rounds: 4,
      isNoisy: false,
    });
  });

  it('is noisy where fewer than half of the windows were quiet', () => {
    const samples = [1, 2, 3, 4].map(quiet).concat([5, 6, 7, 8, 9].map(noisy));
    expect(figureOf(samples)).toMatchObject({ isNoisy: true, quiet: 4, rounds: 9, value: 5 });
  });

  it('is noisy where fewer than three of four windows were quiet', () => {
    expect(figureOf([quiet(1), quiet(2), noisy(3), noisy(4)])).toMatchObject({ isNoisy: true });
  });

  it('of one quiet window is none the less a figure', () => {
    expect(figureOf([quiet(1)])).toMatchObject({ isNoisy: false, value: 1 });
  });

  it('of no window at all is noisy', () => {
    expect(figureOf([])).toMatchObject({ isNoisy: true, value: Number.NaN });
  });

  it('that is counted is never noisy', () => {
    expect(exactFigure(2)).toMatchObject({ isNoisy: false, value: 2 });
  });
});

describe('a ratio', () => {
  it('compares the windows of one round, so that a slow hour meets both', () => {
    const [above, below] = [[10, 1, 30].map(quiet), [20, 2, 60].map(quiet)];
    expect(ratioOf(above, below)).toMatchObject({ value: 0.5, low: 0.5, high: 0.5 });
  });

  it('needs both windows of a round to be quiet', () => {
    const figure = ratioOf([quiet(1), quiet(1), quiet(1), quiet(8)], [quiet(2), quiet(2), quiet(2), noisy(1)]);
    expect(figure).toMatchObject({ value: 0.5, high: 0.5, quiet: 3, rounds: 4 });
  });
});
