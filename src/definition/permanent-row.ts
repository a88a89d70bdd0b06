import type { Actor } from './envelope.ts';

/** An operator's word that nobody but a caller or an operator may resume an instance. */
export interface Hold {
  readonly note: string;
  readonly by: Actor;
  readonly since: Date;
}

/** What the database keeps of an instance for ever. */
export interface PermanentRow {
  readonly key: string;
  readonly openedAt: Date;
  /** Undefined while the row has no outcome. */
  readonly end?: { readonly result: { readonly outcome: string }; readonly endedAt: Date } | undefined;
  readonly hold?: Hold | undefined;
}

/** The permanent rows of one process. Rejects as `Database` does. */
export interface PermanentRows {
  /** The rows of these keys that exist, by key, in one query. */
  find(tenant: string, keys: readonly string[]): Promise<ReadonlyMap<string, PermanentRow>>;
  /** The row of the start's key, where it was opened by an equal start; undefined where not. */
  findSame(start: {
    readonly tenant: string;
    readonly key: string;
    readonly input: unknown;
    /** `{scheme}.{digest}` of the body. */
    readonly fingerprint: string;
  }): Promise<PermanentRow | undefined>;
}

interface HeldKey {
  readonly tenant: string;
  readonly key: string;
  readonly by: Actor;
}

/** `replayed`: the same person held the instance before with the same note. */
export type HoldPut =
  | { readonly kind: 'created' | 'replaced' | 'replayed'; readonly hold: Hold }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'ended' };

/** What operators hold back. One hold at most is in force; those that were released stay on record. */
export interface Holds {
  put(hold: HeldKey & { readonly note: string }): Promise<HoldPut>;
  /** Answers false where no hold was in force. */
  release(key: HeldKey): Promise<boolean>;
}

/** What definitions call their rows, to what finds them. */
export type PermanentRowsByName = Readonly<Record<string, PermanentRows & { readonly holds: Holds }>>;

/** A claimed row without an outcome, with all that it takes to start its instance again. */
export interface Unresolved {
  readonly tenant: string;
  readonly key: string;
  readonly openedAt: Date;
  /** Names the claim: a later claim has a higher one. */
  readonly fence: bigint;
  /** How often the instance was resumed before. */
  readonly resumed: number;
  /** Whether an earlier look has found that callers were told its end. */
  readonly toldFinal: boolean;
  readonly input: Readonly<Record<string, unknown>>;
  /** Of the first start. */
  readonly fingerprint: string;
  readonly startedBy: Actor;
}

type Claim = Pick<Unresolved, 'tenant' | 'key' | 'fence'>;

/** The rows without an outcome, of all tenants. Rejects as `Database` does. */
export interface UnresolvedRows {
  /** Claims rows that nobody holds back, has claimed or has put off: first those that took money, then those never looked at. */
  claim(options: { olderThanMs: number; leaseMs: number; limit: number }): Promise<Unresolved[]>;
  /** Renews the claim before the instance is resumed. Answers false where it is lost, held back or has ended. */
  takeUp(claim: Claim, leaseMs: number): Promise<boolean>;
  /** Ends the claim: nobody claims the row again before that time. Once `told-final` was found, the row remembers that. */
  putOff(claim: Claim, then: { forMs: number; found: string }): Promise<void>;
  report(): Promise<MoneyReport>;
}

/** Money that is neither here nor there, over all tenants. Amounts are minor units. */
export interface MoneyReport {
  /** Taken, and neither delivered, returned nor settled. */
  readonly unresolved: readonly {
    readonly currency: string;
    readonly count: number;
    readonly minor: number;
    readonly oldestSeconds: number;
  }[];
  readonly suspense: readonly { readonly currency: string; readonly minor: number }[];
  /** Instances without an outcome that operators hold back. */
  readonly held: number;
  /** Instances without an outcome that stand still, or that the reconciler has resumed more than once. */
  readonly interrupted: number;
}

/** What a worker needs to resume the instances of a process whose rows have no outcome. */
export interface Reconciliation {
  readonly rows: UnresolvedRows;
  /** `report` changes nothing. */
  readonly mode: 'resume' | 'report';
  readonly everyMs: number;
  /** Younger rows are left alone. */
  readonly ageMs: number;
}

/** What an instance that has closed told as its end. */
export interface ToldEnd {
  readonly tenant: string;
  readonly key: string;
  readonly outcome: string;
  /** Whose word the outcome is: the process's own, or that of the engine, which stopped the process. */
  readonly endedBy: 'process' | 'engine';
}

/**
 * What the database lacks of an instance that has closed: its `row`, the `outcome` of its row, the `posting` that its
 * outcome tells of, or the `same-outcome`: it keeps another one.
 */
export type Loss =
  { readonly missing: 'row' | 'outcome' | 'posting' } | { readonly missing: 'same-outcome'; readonly kept: string };

/** Finds what a restored database has lost. Rejects as `Database` does. */
export interface ToldEnds {
  /** One answer for each, in their order, in one query; undefined where the database agrees. */
  compare(told: readonly ToldEnd[]): Promise<readonly (Loss | undefined)[]>;
  /** What the instance moved, or would have moved, in minor units; undefined for an input that says no amount. */
  amountOf(input: unknown): { readonly currency: string; readonly minor: bigint } | undefined;
}

/**
 * An attempt to write a row can outlive its instance, because no timeout stops code. An instance without a row is final
 * only so many milliseconds after it closed: an attempt has ten seconds, and its statement five.
 */
export const lateRowMs = 60_000;

/** The rows of a definition; undefined where it declares none. Throws where nobody provides the rows it names. */
export function rowsOf<Rows>(
  { permanentRow }: { readonly permanentRow?: { readonly rows: string } | undefined },
  byName: Readonly<Record<string, Rows>>,
): Rows | undefined {
  if (permanentRow === undefined) return undefined;
  const rows = byName[permanentRow.rows];
  if (rows === undefined) throw new Error(`nobody provides the permanent rows ${permanentRow.rows}`);
  return rows;
}
