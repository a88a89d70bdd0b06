/**
 * Joins two expositions in Prometheus' text format 0.0.4. A metric family that both have is taken from `own`, because
 * the format allows each family once. An `other` that does not follow the format is left out as a whole.
 */
export function mergeExpositions(own: string, other: string): string {
  const families = familiesIn(other);
  if (families === undefined) return own;
  const taken = new Set(familiesIn(own)?.keys());
  const added = [...families].filter(([name]) => !taken.has(name)).flatMap(([, lines]) => lines);
  const end = own === '' || own.endsWith('\n') ? '' : '\n';
  return added.length === 0 ? own : `${own}${end}${added.join('\n')}\n`;
}

const comment = /^# (?:HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*)(?: |$)/;
const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{[^]*\})? (?:[-+]?(?:[0-9.]+(?:e[-+]?[0-9]+)?|Inf)|NaN)(?: -?[0-9]+)?$/i;

/** The lines of each family, in order; undefined if a line is neither a comment nor a sample. */
function familiesIn(text: string): Map<string, string[]> | undefined {
  const families = new Map<string, string[]>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [, described] = comment.exec(line) ?? [];
    const [, sampled] = sample.exec(line) ?? [];
    const name = described ?? sampled;
    if (name === undefined) {
      if (line.startsWith('#')) continue;
      return undefined;
    }
    if (described !== undefined || !belongsTo(current, name)) current = name;
    const lines = families.get(current);
    if (lines === undefined) families.set(current, [line]);
    else lines.push(line);
  }
  return families;
}

/** Samples of histograms and summaries are named for their family, with a suffix. */
const belongsTo = (family: string, name: string): boolean =>
  name === family || ['_bucket', '_sum', '_count'].some((ending) => name === family + ending);
