interface Range {
  readonly name: string;
  /** From 0, never, to 1. */
  readonly quality: number;
}

/**
 * Which of the offers a field such as `Accept` prefers (RFC 9110, 12.5.1); of equal ones the first. The most specific range
 * decides for an offer. Without the field, and where it takes none of the offers, it is the first.
 */
export function preferredType<Offer extends string>(field: string | undefined, offers: readonly [Offer, ...Offer[]]) {
  const [first] = offers;
  if (field === undefined) return first;
  const ranges = rangesIn(field);
  const best = offers
    .map((offer) => ({ offer, quality: qualityOf(ranges, [offer, `${offer.split('/')[0] ?? ''}/*`, '*/*']) ?? 0 }))
    .reduce((one, other) => (other.quality > one.quality ? other : one));
  return best.quality > 0 ? best.offer : first;
}

/** Whether `Accept-Encoding` takes gzip at least as gladly as no coding (RFC 9110, 12.5.3). */
export function takesGzip(field: string | undefined): boolean {
  const ranges = rangesIn(field ?? '');
  const gzip = qualityOf(ranges, ['gzip', 'x-gzip', '*']) ?? 0;
  return gzip > 0 && gzip >= (qualityOf(ranges, ['identity']) ?? 0);
}

/** That of the first of these names which is listed. */
const qualityOf = (ranges: readonly Range[], names: readonly string[]): number | undefined =>
  names.flatMap((name) => ranges.filter((range) => range.name === name)).at(0)?.quality;

/** A range whose quality is malformed is none. */
const rangesIn = (field: string): readonly Range[] =>
  field.split(',').flatMap((part) => {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const [, quality] = /^q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.exec(given ?? 'q=1') ?? [];
    return name === '' || quality === undefined ? [] : [{ name, quality: Number(quality) }];
  });
