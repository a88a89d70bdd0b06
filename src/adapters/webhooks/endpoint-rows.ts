import type { Database, Queryable, Transaction } from '../../database/database.ts';

/** What an endpoint is found by. */
export interface EndpointKey {
  readonly tenant: string;
  readonly endpointId: string;
}

/** Where a tenant wants webhooks sent to, as people see it: no secret. */
export interface Endpoint {
  readonly endpointId: string;
  readonly url: string;
  readonly description?: string;
  readonly state: 'enabled' | 'disabled';
  /** `gone`: the receiver answered 410. */
  readonly disabledBecause?: 'asked' | 'gone';
  /** The secrets that sign now, the newest first. Older ones have an end. */
  readonly secrets: readonly { readonly createdAt: Date; readonly validUntil?: Date }[];
  readonly createdAt: Date;
  readonly lastSuccess?: { readonly at: Date; readonly status?: number };
  readonly lastFailure?: { readonly at: Date; readonly reason: string; readonly status?: number };
}

export interface EndpointRow {
  readonly endpoint_id: string;
  readonly url: string;
  readonly description: string | null;
  readonly state: 'enabled' | 'disabled';
  readonly disabled_because: 'asked' | 'gone' | null;
  readonly revision: number;
  readonly created_at: Date;
  readonly secrets_created: readonly Date[] | null;
  readonly secrets_expire: readonly (Date | null)[] | null;
  readonly last_success_at: Date | null;
  readonly last_success_status: number | null;
  readonly last_failure_at: Date | null;
  readonly last_failure_reason: string | null;
  readonly last_failure_status: number | null;
}

export const keyOf = ({ tenant, endpointId }: EndpointKey): [string, string] => [tenant, endpointId];

const secretsThatSign = `from endpoint_secrets s where s.tenant = e.tenant and s.endpoint_id = e.endpoint_id
  and (s.expires_at is null or s.expires_at > now())`;

/** Rows of the tenant `$1`. */
export const selectEndpoints = `select e.*,
  (select array_agg(s.created_at order by s.number desc) ${secretsThatSign}) as secrets_created,
  (select array_agg(s.expires_at order by s.number desc) ${secretsThatSign}) as secrets_expire
  from endpoints e where tenant = $1`;

export async function findIn(queryable: Queryable, key: EndpointKey): Promise<Endpoint | undefined> {
  const [row] = await queryable.query<EndpointRow>(`${selectEndpoints} and endpoint_id = $2`, keyOf(key));
  return row === undefined ? undefined : toEndpoint(row);
}

export async function mustFind(tx: Transaction, key: EndpointKey): Promise<Endpoint> {
  const endpoint = await findIn(tx, key);
  if (endpoint === undefined) throw new Error('the endpoint that this transaction holds is gone');
  return endpoint;
}

/** Runs `change` on an endpoint that nobody else changes meanwhile; undefined where there is none. */
export const changeIn = <Changed extends object>(
  database: Database,
  key: EndpointKey,
  change: (tx: Transaction) => Promise<Changed>,
): Promise<({ readonly endpoint: Endpoint } & Changed) | undefined> =>
  database.transaction(async (tx) => {
    const found = await tx.query(
      'update endpoints set revision = revision + 1 where tenant = $1 and endpoint_id = $2 returning revision',
      keyOf(key),
    );
    if (found.length === 0) return undefined;
    const changed = await change(tx);
    return { endpoint: await mustFind(tx, key), ...changed };
  });

export async function setState(tx: Transaction, key: EndpointKey, because: 'asked' | null): Promise<void> {
  await tx.query(
    `update endpoints set state = case when $3::text is null then 'enabled' else 'disabled' end, disabled_because = $3
     where tenant = $1 and endpoint_id = $2`,
    [...keyOf(key), because],
  );
}

export const toEndpoint = (row: EndpointRow): Endpoint => ({
  endpointId: row.endpoint_id,
  url: row.url,
  ...(row.description !== null && { description: row.description }),
  state: row.state,
  ...(row.disabled_because !== null && { disabledBecause: row.disabled_because }),
  secrets: (row.secrets_created ?? []).map((createdAt, index) => {
    const validUntil = row.secrets_expire?.[index] ?? undefined;
    return { createdAt, ...(validUntil && { validUntil }) };
  }),
  createdAt: row.created_at,
  ...(row.last_success_at !== null && {
    lastSuccess: { at: row.last_success_at, ...statusOf(row.last_success_status) },
  }),
  ...(row.last_failure_at !== null && {
    lastFailure: {
      at: row.last_failure_at,
      reason: row.last_failure_reason ?? 'unknown',
      ...statusOf(row.last_failure_status),
    },
  }),
});

const statusOf = (status: number | null) => (status === null ? {} : { status });
