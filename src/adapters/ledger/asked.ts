/** The columns that say what was asked for. */
export type AskedColumns = {
  payer_id: string;
  payee_id: string;
  currency: string;
  amount_minor: bigint;
  reference: string | null;
  requested_by: string | null;
  fingerprint: string;
};

/** What a start asks for. */
export interface Asked {
  readonly from: string;
  readonly to: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Minor units, positive. */
  readonly amountMinor: bigint;
  readonly reference?: string | undefined;
  readonly requestedBy?: string | undefined;
  /** `{scheme}.{digest}` of the request. */
  readonly fingerprint: string;
}

/** Whether a row keeps the transfer that a start asks for. The starter is not compared. */
export const isSame = (row: AskedColumns, asked: Asked): boolean =>
  row.payer_id === asked.from &&
  row.payee_id === asked.to &&
  row.currency === asked.currency &&
  row.amount_minor === asked.amountMinor &&
  row.reference === (asked.reference ?? null) &&
  row.requested_by === (asked.requestedBy ?? null) &&
  isSameFingerprint(row.fingerprint, asked.fingerprint);

/** Fingerprints of two schemes, or of two keys, differ even for the same request. Then the fields alone decide. */
const isSameFingerprint = (one: string, other: string): boolean => one === other || schemeOf(one) !== schemeOf(other);

const schemeOf = (fingerprint: string): string => fingerprint.slice(0, fingerprint.lastIndexOf('.'));
