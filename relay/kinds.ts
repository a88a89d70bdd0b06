/** What a setting accepts. `parse` answers undefined for what it does not. */
export interface Kind<T> {
  /** Completes "must be …". */
  readonly must: string;
  readonly parse: (given: string) => T | undefined;
}

export const kind = <T>(must: string, parse: (given: string) => T | undefined): Kind<T> => ({ must, parse });

export const wholeNumber = (least: number, most: number): Kind<number> =>
  kind(`a whole number from ${least} to ${most}`, (given) => {
    const value = /^[0-9]{1,9}$/.test(given) ? Number(given) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  });

export const oneOf = <const Word extends string>(...words: readonly Word[]): Kind<Word> =>
  kind(`one of ${words.join(', ')}`, (given) => words.find((word) => word === given));

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** In milliseconds. */
export const duration = (least: string, most: string): Kind<number> =>
  kind(`a duration such as 500ms, 10s, 5m, 12h or 7d, from ${least} to ${most}`, (given) => {
    const value = msOf(given);
    return value >= msOf(least) && value <= msOf(most) ? value : undefined;
  });

function msOf(given: string): number {
  const [, count, unit] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(given) ?? [];
  return count === undefined ? Number.NaN : Number(count) * unitsMs[unit as keyof typeof unitsMs];
}

/** The text as it was given. */
export const url = (...schemes: readonly string[]): Kind<string> =>
  kind(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`, (given) => {
    if (!schemes.some((scheme) => given.startsWith(`${scheme}://`)) || !URL.canParse(given)) return undefined;
    return new URL(given).hostname === '' ? undefined : given;
  });
