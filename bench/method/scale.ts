import type { Figure } from './arithmetic.ts';

/** So much of a goal's size that a run takes, and `least` where that is little. */
export const scaled = (size: number, scale: number, least: number): number =>
  Math.max(Math.min(size, least), Math.round(size * scale));

/** A figure of fewer things than its goal names can fail, and cannot pass. */
export const atScale = (figure: Figure, scale: number): Figure => ({ ...figure, isPartial: scale < 1 });

/** For people: 50,000. */
export const shown = (count: number): string => count.toLocaleString('en');
