/** The sum of the samples of a metric that have these labels; 0 where there is none. */
export function sumIn(exposition: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const [, found = '', value] of exposition.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))) {
    const own = found.split(',');
    if (wanted.every((each) => own.includes(each))) sum += Number(value);
  }
  return sum;
}
