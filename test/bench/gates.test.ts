import { describe, expect, it } from 'vitest';
import { exactFigure, figureOf } from '../../bench/method/arithmetic.ts';
import { exitCodeOf, type Gate, gateLine, gates, isJudged, verdictOf } from '../../bench/method/gates.ts';

const more: Gate = { row: '1', figure: 'starts', wants: 'more', floor: 1, goal: 1.4, shortFloor: 0.5 };
const less: Gate = { row: '8', figure: 'latency', wants: 'less', floor: 1, goal: 0.5 };
const noisy = figureOf([{ value: 2, isQuiet: false }]);

describe('a gate', () => {
  it('lets its floor itself pass, and nothing beyond', () => {
    const verdicts = [1, 0.99, 1.01].map((value) => [
      verdictOf(more, exactFigure(value), false),
      verdictOf(less, exactFigure(value), false),
    ]);
    expect(verdicts).toEqual([
      ['pass', 'pass'],
      ['fail', 'pass'],
      ['pass', 'fail'],
    ]);
  });

  it('neither passes nor fails by a noisy figure', () => {
    expect(verdictOf(more, noisy, false)).toBe('noisy');
  });

  it('fails by what is no number', () => {
    expect([more, less].map((gate) => verdictOf(gate, exactFigure(Number.NaN), false))).toEqual(['fail', 'fail']);
  });

  it('may fail by a figure of fewer things than it names, and does not pass by one', () => {
    const of = (value: number) => verdictOf(more, { ...exactFigure(value), isPartial: true }, false);
    expect([of(0.99), of(1.4)]).toEqual(['fail', 'partial']);
  });

  it('has a floor of its own in a short run, which judges noisy figures as well', () => {
    expect(verdictOf(more, exactFigure(0.6), true)).toBe('pass');
    expect(verdictOf(more, exactFigure(0.4), true)).toBe('fail');
    expect(verdictOf(more, noisy, true)).toBe('pass');
  });

  it('without such a floor is not judged by a short run', () => {
    expect([isJudged(less, true), isJudged(less, false), isJudged(more, true)]).toEqual([false, true, true]);
  });

  it('is printed as one line', () => {
    expect(gateLine(more, exactFigure(1.23456), false)).toBe('GATE 1 1.235 1 1.4 pass');
    expect(gateLine(more, exactFigure(0), true)).toBe('GATE 1 0 0.5 1.4 fail');
  });
});

describe('the gates', () => {
  it('have rows of their own, and goals that are no easier than their floors', () => {
    expect(new Set(gates.map(({ row }) => row)).size).toBe(gates.length);
    const wrong = gates.filter(({ wants, floor, goal }) => (wants === 'more' ? goal < floor : goal > floor));
    expect(wrong).toEqual([]);
  });
});

describe('the exit code', () => {
  it('is 0 where all pass, 1 where one fails, 3 where the rest is noisy or partial', () => {
    expect(exitCodeOf(['pass', 'pass'])).toBe(0);
    expect(exitCodeOf(['pass', 'noisy', 'fail'])).toBe(1);
    expect(exitCodeOf(['pass', 'noisy'])).toBe(3);
    expect(exitCodeOf(['pass', 'partial'])).toBe(3);
    expect(exitCodeOf([])).toBe(0);
  });
});
