/** The candidate that needs the fewest changed letters to become `name`; undefined if none is within `maxDistance`. */
export function nearestName(
  name: string,
  candidates: readonly string[],
  maxDistance = Math.max(2, name.length / 3),
): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= maxDistance ? best.candidate : undefined;
}

/** Levenshtein: insertions, deletions and replacements that turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, letter] of Array.from(from).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(to).entries()) {
      const [above = 0, aboveLeft = 0, left = 0] = [previous[column + 1], previous[column], current[column]];
      current.push(Math.min(above + 1, left + 1, aboveLeft + (letter === other ? 0 : 1)));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
