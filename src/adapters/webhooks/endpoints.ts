import type { Database, Transaction } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import { Problem } from '../../problems.ts';
import { createOncePer } from '../../timing/once-per.ts';
import {
  changeIn,
  type Endpoint,
  type EndpointKey,
  type EndpointRow,
  findIn,
  keyOf,
  mustFind,
  selectEndpoints,
  setState,
  toEndpoint,
} from './endpoint-rows.ts';
import { addSecret, dropOldSecrets, openSecrets, resealSecrets, type SecretRow } from './endpoint-secrets.ts';
import type { KeyRing } from './sealing.ts';

interface EndpointSettings {
  readonly keys?: { reveal(): KeyRing } | undefined;
  /** Endpoints a tenant may have. */
  readonly limit: number;
  /** How long earlier secrets sign on after a rotation, in milliseconds. */
  readonly rotationTime: number;
}

type Wanted = EndpointKey & { readonly url: string; readonly description?: string | undefined };

type EndpointCreated =
  | { readonly kind: 'created'; readonly endpoint: Endpoint; readonly secret: string }
  /** It was created before with the same URL and description. Its secret is not shown again. */
  | { readonly kind: 'replayed'; readonly endpoint: Endpoint }
  | { readonly kind: 'conflict' };

export const endpointGrants = {
  endpoints: [
    'select',
    'insert',
    'delete',
    {
      update: [
        'state',
        'disabled_because',
        'revision',
        'last_success_at',
        'last_success_status',
        'last_failure_at',
        'last_failure_reason',
        'last_failure_status',
      ],
    },
  ],
  endpoint_secrets: ['select', 'insert', 'delete', { update: ['key_id', 'sealed', 'expires_at'] }],
} satisfies Grants;

export type Endpoints = ReturnType<typeof createEndpoints>;

/**
 * The endpoints of tenants. A secret is given away once, by the call that makes it; it lies in the database under the key
 * ring of the settings. Without a ring whatever makes a secret throws `not-configured`.
 */
export const createEndpoints = (database: Database, settings: EndpointSettings) => ({
  ...secretsOfEndpoints(database, settings),
  ...attemptsAtEndpoints(database, settings),

  /** Creates it once for its id. Throws `limit-reached` where the tenant has as many as it may. */
  createEndpoint: (wanted: Wanted): Promise<EndpointCreated> =>
    database.transaction(async (tx): Promise<EndpointCreated> => {
      // Those who create for one tenant take turns: they count.
      await tx.query(`select pg_advisory_xact_lock(hashtextextended('endpoints/' || $1, 0))`, [wanted.tenant]);
      const before = await findIn(tx, wanted);
      if (before !== undefined) return replayOf(wanted, before);
      const ring = secretRingOf(settings);
      await checkLimit(tx, wanted.tenant, settings.limit);
      await tx.query('insert into endpoints (tenant, endpoint_id, url, description) values ($1, $2, $3, $4)', [
        ...keyOf(wanted),
        wanted.url,
        wanted.description ?? null,
      ]);
      const secret = await addSecret(tx, wanted, ring);
      return { kind: 'created', endpoint: await mustFind(tx, wanted), secret };
    }),

  findEndpoint: (key: EndpointKey): Promise<Endpoint | undefined> => findIn(database, key),

  /** In the order of their ids; those after `after`, if it is given. */
  async listEndpoints(page: { readonly tenant: string; readonly limit: number; readonly after?: string | undefined }) {
    const rows = await database.query<EndpointRow>(
      `${selectEndpoints} and endpoint_id > $2 order by endpoint_id limit $3`,
      [page.tenant, page.after ?? '', page.limit + 1],
    );
    const items = rows.slice(0, page.limit).map(toEndpoint);
    const last = items.at(-1);
    return { items, ...(rows.length > page.limit && last !== undefined && { next: last.endpointId }) };
  },

  enableEndpoint: (key: EndpointKey) =>
    changeIn(database, key, async (tx) => {
      if (settings.keys !== undefined) await resealSecrets(tx, key, settings.keys.reveal());
      await setState(tx, key, null);
      return {};
    }),

  disableEndpoint: (key: EndpointKey) =>
    changeIn(database, key, async (tx) => {
      await setState(tx, key, 'asked');
      return {};
    }),

  /** False where there was none. */
  async deleteEndpoint(key: EndpointKey): Promise<boolean> {
    const deleted = await database.query(
      'delete from endpoints where tenant = $1 and endpoint_id = $2 returning endpoint_id',
      keyOf(key),
    );
    return deleted.length > 0;
  },
});

const secretsOfEndpoints = (database: Database, settings: EndpointSettings) => ({
  /** Makes a secret that signs from now on, beside the earlier ones for as long as the settings say. */
  rotateSecret: (key: EndpointKey) =>
    changeIn(database, key, async (tx) => {
      const ring = secretRingOf(settings);
      await resealSecrets(tx, key, ring);
      return { secret: await addSecret(tx, key, ring, settings.rotationTime) };
    }),

  /** Ends every secret but the newest. */
  dropOldSecrets: (key: EndpointKey) =>
    changeIn(database, key, async (tx) => {
      await dropOldSecrets(tx, key);
      return {};
    }),
});

type NoSecret = { readonly [Column in keyof SecretRow]: null };
type SendingRow = Pick<EndpointRow, 'url' | 'state' | 'revision'> & (SecretRow | NoSecret);

/** What an attempt to deliver reads, and what it leaves behind. */
const attemptsAtEndpoints = (
  database: Database,
  settings: EndpointSettings,
  isDue = createOncePer({ periodMs: 1_000 }),
) => ({
  /**
   * What an attempt needs to know. `secrets` is undefined where none can be opened: their key is not in the ring. One
   * statement reads both: no URL is signed for by an endpoint that took the place of another meanwhile.
   */
  async readForSending(key: EndpointKey) {
    const rows = await database.query<SendingRow>(
      `select e.url, e.state, e.revision, s.number, s.key_id, s.sealed from endpoints e
       left join endpoint_secrets s on s.tenant = e.tenant and s.endpoint_id = e.endpoint_id
         and (s.expires_at is null or s.expires_at > now())
       where e.tenant = $1 and e.endpoint_id = $2 order by s.number desc`,
      keyOf(key),
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const { url, state, revision } = row;
    const sealed = rows.flatMap((each) => (each.number === null ? [] : [each]));
    return { url, state, revision, secrets: openSecrets(sealed, key, settings.keys?.reveal() ?? []) };
  },

  /** Keeps when and how an attempt ended, at most once in a second for each endpoint. */
  async recordAttempt(key: EndpointKey, ended: { readonly reason?: string; readonly status?: number | undefined }) {
    const { reason, status = null } = ended;
    const kind = reason === undefined ? 'success' : 'failure';
    // Other processes record as well: the statement looks at the time too.
    if (!isDue(JSON.stringify([kind, ...keyOf(key)]))) return;
    await database.query(
      `update endpoints set last_${kind}_at = now(), last_${kind}_status = $3
       ${reason === undefined ? '' : ', last_failure_reason = $4'}
       where tenant = $1 and endpoint_id = $2
         and (last_${kind}_at is null or last_${kind}_at < now() - interval '1 second')`,
      [...keyOf(key), status, ...(reason === undefined ? [] : [reason])],
    );
  },

  /** Disables it because its receiver answered 410, unless somebody changed it since it was read. Whether it did. */
  async disableGone(key: EndpointKey, read: { readonly url: string; readonly revision: number }): Promise<boolean> {
    const disabled = await database.query(
      `update endpoints set state = 'disabled', disabled_because = 'gone', revision = revision + 1
       where tenant = $1 and endpoint_id = $2 and url = $3 and revision = $4 and state = 'enabled'
       returning endpoint_id`,
      [...keyOf(key), read.url, read.revision],
    );
    return disabled.length > 0;
  },
});

/** Throws `not-configured` where there is none. */
function secretRingOf({ keys }: EndpointSettings): KeyRing {
  if (keys === undefined) {
    throw new Problem('not-configured', { detail: 'Secrets of endpoints need a key ring: PORTICO_ENDPOINTS_KEYS.' });
  }
  return keys.reveal();
}

const replayOf = (wanted: Wanted, endpoint: Endpoint): EndpointCreated =>
  endpoint.url === wanted.url && endpoint.description === wanted.description
    ? { kind: 'replayed', endpoint }
    : { kind: 'conflict' };

async function checkLimit(tx: Transaction, tenant: string, limit: number): Promise<void> {
  const [row] = await tx.query<{ count: bigint }>('select count(*) from endpoints where tenant = $1', [tenant]);
  if (row === undefined || row.count >= BigInt(limit)) throw new Problem('limit-reached');
}
