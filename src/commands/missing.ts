import type { ProcessDefinition } from '../definition/definition.ts';
import { rowsOf, type ToldEnds } from '../definition/permanent-row.ts';
import type { ClosedInstance } from '../orchestration/closed.ts';
import type { Gateway } from '../orchestration/gateway.ts';

interface SearchOptions {
  readonly definitions: readonly ProcessDefinition[];
  /** By the rows that definitions name. */
  readonly toldEnds: Readonly<Record<string, ToldEnds>>;
  readonly gateway: Pick<Gateway, 'closedSince' | 'startOf'>;
  readonly since: Date;
  readonly write: (line: object) => void;
}

interface Total {
  readonly tenant: string;
  readonly outcome: string;
  readonly currency: string;
  count: number;
  minor: bigint;
}

/**
 * Compares how instances closed with what the database keeps of them, and writes one line for each that is not kept as it
 * was told, then totals. Resolves to whether there was none. Rejects where Temporal or the database does not answer.
 */
export async function findMissing(options: SearchOptions): Promise<boolean> {
  const { definitions, toldEnds, gateway, since } = options;
  const totals = new Map<string, Total>();
  let found = 0;
  // Versions of one process share their rows; instances do not tell versions apart.
  const byRows = new Map(definitions.map((definition) => [definition.permanentRow?.rows, definition]));
  for (const definition of byRows.values()) {
    const ends = rowsOf(definition, toldEnds);
    if (ends === undefined) continue;
    for await (const page of gateway.closedSince(definition, since)) {
      found += await lookAt(options, { definition, ends, page, totals });
    }
  }
  for (const { minor, ...total } of totals.values()) options.write({ total: { ...total, minor: String(minor) } });
  return found === 0;
}

interface Page {
  readonly definition: ProcessDefinition;
  readonly ends: ToldEnds;
  readonly page: readonly ClosedInstance[];
  readonly totals: Map<string, Total>;
}

/** Answers how many instances of the page the database does not keep as they were told. */
async function lookAt({ gateway, write }: SearchOptions, { definition, ends, page, totals }: Page): Promise<number> {
  // The id of an instance that ended in a conflict belongs to another one, whose row it is.
  const told = page.filter(
    ({ endedBy, outcome }) => endedBy === 'engine' || outcome !== definition.permanentRow?.conflict,
  );
  const losses = await ends.compare(told);
  let found = 0;
  for (const [index, instance] of told.entries()) {
    const loss = losses[index];
    if (loss === undefined) continue;
    const { isReplaced, input } = await gateway.startOf(definition, instance);
    if (isReplaced) continue;
    const { tenant, key, outcome, closedAt } = instance;
    const amount = ends.amountOf(input);
    const shown = amount && { currency: amount.currency, minor: String(amount.minor) };
    write({ tenant, process: definition.name, [fieldOf(definition)]: key, outcome, closedAt, ...loss, amount: shown });
    if (amount !== undefined) add(totals, { tenant, outcome, currency: amount.currency }, amount.minor);
    found += 1;
  }
  return found;
}

/** What callers call the business key. */
const fieldOf = ({ key }: ProcessDefinition): string => ('field' in key ? key.field : 'key');

function add(totals: Map<string, Total>, of: Omit<Total, 'count' | 'minor'>, minor: bigint): void {
  const name = JSON.stringify(of);
  const total = totals.get(name) ?? { ...of, count: 0, minor: 0n };
  total.count += 1;
  total.minor += minor;
  totals.set(name, total);
}
