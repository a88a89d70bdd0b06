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

/** What definitions call their rows, to what finds them. */
export type PermanentRowsByName = Readonly<Record<string, PermanentRows>>;

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
