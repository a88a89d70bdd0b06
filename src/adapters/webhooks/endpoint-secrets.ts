import type { Queryable, Transaction } from '../../database/database.ts';
import { Problem } from '../../problems.ts';
import { type EndpointKey, keyOf } from './endpoint-rows.ts';
import { type KeyRing, seal, unseal } from './sealing.ts';
import { newSecret } from './signatures.ts';

export interface SecretRow {
  readonly number: number;
  readonly key_id: string;
  readonly sealed: Buffer;
}

/** As many as may sign at once. A rotation whose answer was lost is repeated, and no receiver's secret may end by it. */
const mostSecrets = 4;

/**
 * Makes the newest secret and gives it back. Earlier ones end after `overlapMs` milliseconds, or before, as it was said
 * at an earlier rotation. Throws `limit-reached` where too many sign already.
 */
export async function addSecret(tx: Transaction, key: EndpointKey, ring: KeyRing, overlapMs = 0): Promise<string> {
  await tx.query(
    `delete from endpoint_secrets where tenant = $1 and endpoint_id = $2 and expires_at <= now()`,
    keyOf(key),
  );
  const earlier = await rowsOf(tx, key);
  if (earlier.length >= mostSecrets) {
    throw new Problem('limit-reached', {
      detail: `The endpoint has ${mostSecrets} secrets that sign: drop the old ones.`,
    });
  }
  await tx.query(
    `update endpoint_secrets set expires_at = now() + $3 * interval '1 millisecond'
     where tenant = $1 and endpoint_id = $2 and expires_at is null`,
    [...keyOf(key), overlapMs],
  );
  const number = Math.max(0, ...earlier.map((row) => row.number)) + 1;
  const secret = newSecret();
  const { keyId, bytes } = seal(ring, placeOf(key, number), secret);
  await tx.query(
    'insert into endpoint_secrets (tenant, endpoint_id, number, key_id, sealed) values ($1, $2, $3, $4, $5)',
    [...keyOf(key), number, keyId, bytes],
  );
  return secret;
}

export async function dropOldSecrets(tx: Transaction, key: EndpointKey): Promise<void> {
  await tx.query(
    'delete from endpoint_secrets where tenant = $1 and endpoint_id = $2 and expires_at is not null',
    keyOf(key),
  );
}

/** What these rows hold, the newest first. Undefined where the newest cannot be opened with this ring. */
export function openSecrets(rows: readonly SecretRow[], key: EndpointKey, ring: KeyRing): string[] | undefined {
  const opened = rows.map((row) => open(ring, key, row));
  return opened[0] === undefined ? undefined : opened.filter((secret) => secret !== undefined);
}

/** Seals with the first key of the ring what lies under another. What cannot be opened stays as it is. */
export async function resealSecrets(tx: Transaction, key: EndpointKey, ring: KeyRing): Promise<number> {
  const old = (await rowsOf(tx, key)).filter((row) => row.key_id !== ring[0]?.id);
  let resealed = 0;
  for (const row of old) {
    const secret = open(ring, key, row);
    if (secret === undefined) continue;
    const { keyId, bytes } = seal(ring, placeOf(key, row.number), secret);
    await tx.query(
      `update endpoint_secrets set key_id = $4, sealed = $5
       where tenant = $1 and endpoint_id = $2 and number = $3`,
      [...keyOf(key), row.number, keyId, bytes],
    );
    resealed += 1;
  }
  return resealed;
}

const rowsOf = (from: Queryable, key: EndpointKey): Promise<SecretRow[]> =>
  from.query<SecretRow & { [name: string]: unknown }>(
    `select number, key_id, sealed from endpoint_secrets
     where tenant = $1 and endpoint_id = $2 and (expires_at is null or expires_at > now()) order by number desc`,
    keyOf(key),
  );

const open = (ring: KeyRing, key: EndpointKey, { number, key_id: keyId, sealed }: SecretRow): string | undefined =>
  unseal(ring, placeOf(key, number), { keyId, bytes: sealed });

const placeOf = ({ tenant, endpointId }: EndpointKey, number: number): string[] => [
  'endpoint-secret',
  tenant,
  endpointId,
  String(number),
];
