/** The value below which `share` of the values lie, the nearest one that there is. NaN where there are no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle. NaN where there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [below = Number.NaN, above = Number.NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (below + above) / 2;
}

/** What one processor clock said at two moments; all times are of the whole machine, in milliseconds. */
export interface MachineUse {
  readonly wallMs: number;
  readonly cores: number;
  /** Busy with anybody's programs. */
  readonly busyMs: number;
  /** Busy with the programs of this benchmark. */
  readonly ownMs: number;
}

/** The share of the machine that other programs took, from 0 to 1. Clocks differ a little: less than none is none. */
export const foreignShare = ({ wallMs, cores, busyMs, ownMs }: MachineUse): number =>
  Math.min(1, Math.max(0, (busyMs - ownMs) / (wallMs * cores)));

/** A window in which others took more of the machine than this is dropped. */
export const maxForeignShare = 0.05;

/** One measured value, and whether its window counts. */
export interface Sample {
  readonly value: number;
  readonly isQuiet: boolean;
}

/** What rounds gave: the middle of the windows that count and their spread, or of all where too few count. */
export interface Figure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly quiet: number;
  readonly rounds: number;
  readonly isNoisy: boolean;
  /** True where it is of fewer things than its goal names. */
  readonly isPartial?: boolean;
}

/** Half of the windows have to count, and three of them at least, or all where there are fewer. */
export function figureOf(samples: readonly Sample[]): Figure {
  const quiet = samples.filter(({ isQuiet }) => isQuiet);
  const isNoisy = quiet.length < Math.min(samples.length, Math.max(3, samples.length / 2)) || samples.length === 0;
  const values = (isNoisy ? samples : quiet).map(({ value }) => value);
  return {
    value: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
    quiet: quiet.length,
    rounds: samples.length,
    isNoisy,
  };
}

/** The ratios of two peers, each of windows of one round, which lie side by side. Both windows have to count. */
export const ratioOf = (above: readonly Sample[], below: readonly Sample[]): Figure =>
  figureOf(
    above.flatMap((sample, round) => {
      const other = below[round];
      return other === undefined
        ? []
        : [{ value: sample.value / other.value, isQuiet: sample.isQuiet && other.isQuiet }];
    }),
  );

/** A figure that noise does not change, such as a count. */
export const exactFigure = (value: number): Figure => ({
  value,
  low: value,
  high: value,
  quiet: 1,
  rounds: 1,
  isNoisy: false,
});
