import type { Database } from '../database/database.ts';
import type { Grants } from '../database/grants.ts';
import { Problem } from '../problems.ts';

/** What an effect is unique by. */
interface GrantKey {
  readonly tenant: string;
  readonly userId: string;
  /** The generation of the user's grant, from 1. */
  readonly generation: number;
  readonly kind: string;
}

export interface Message {
  readonly generation: number;
  readonly kind: string;
  readonly title: string;
  readonly body: string;
  readonly sentAt: Date;
}

export interface Discount {
  readonly generation: number;
  readonly kind: string;
  /** 1 to 100. */
  readonly percent: number;
  readonly grantedAt: Date;
}

/** `replayed`: this tenant, user, generation and kind had the effect before, and it stays as it was. */
export interface EffectApplied {
  readonly kind: 'created' | 'replayed';
}

interface PageRequest {
  readonly tenant: string;
  readonly userId: string;
  /** Items at most. */
  readonly limit: number;
  /** The `next` of the previous page. */
  readonly after?: string | undefined;
}

/** One page of a list. `next` is present where more items may follow. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next?: string;
}

/** What was given to a user stays as it was. */
export const inboxGrants = { messages: ['select', 'insert'], discounts: ['select', 'insert'] } satisfies Grants;

export type Inbox = ReturnType<typeof createInbox>;

/**
 * Messages and discounts: at most one of each kind for a tenant, user and generation, for ever. Newest items come last.
 */
export const createInbox = (database: Database) => ({
  async sendMessage(message: GrantKey & { readonly title: string; readonly body: string }): Promise<EffectApplied> {
    const { tenant, userId, generation, kind, title, body } = message;
    const created = await database.query(
      `${turnOf('messages')} insert into messages (tenant, user_id, generation, kind, title, body)
       select $1, $2, $3, $4, $5, $6 from turn on conflict do nothing returning kind`,
      [tenant, userId, generation, kind, title, body],
    );
    return { kind: created.length > 0 ? 'created' : 'replayed' };
  },

  async grantDiscount(discount: GrantKey & { readonly percent: number }): Promise<EffectApplied> {
    const { tenant, userId, generation, kind, percent } = discount;
    const created = await database.query(
      `${turnOf('discounts')} insert into discounts (tenant, user_id, generation, kind, percent)
       select $1, $2, $3, $4, $5 from turn on conflict do nothing returning kind`,
      [tenant, userId, generation, kind, percent],
    );
    return { kind: created.length > 0 ? 'created' : 'replayed' };
  },

  async listMessages(request: PageRequest): Promise<Page<Message>> {
    const rows = await database.query<Omit<Message, 'sentAt'> & { sent_at: Date; position: bigint }>(
      `select generation, kind, title, body, sent_at, position from messages ${pageClause}`,
      pageValuesOf(request),
    );
    return toPage(rows, request, ({ generation, kind, title, body, sent_at: sentAt }) => ({
      generation,
      kind,
      title,
      body,
      sentAt,
    }));
  },

  async listDiscounts(request: PageRequest): Promise<Page<Discount>> {
    const rows = await database.query<Omit<Discount, 'grantedAt'> & { granted_at: Date; position: bigint }>(
      `select generation, kind, percent, granted_at, position from discounts ${pageClause}`,
      pageValuesOf(request),
    );
    return toPage(rows, request, ({ generation, kind, percent, granted_at: grantedAt }) => ({
      generation,
      kind,
      percent,
      grantedAt,
    }));
  },
});

/**
 * Makes the writers of one user's list take turns until they commit. A position is drawn before the commit: without
 * turns a later position may appear first, and a reader who pages by position would never see the earlier one.
 */
const turnOf = (table: string): string =>
  `with turn as materialized (select pg_advisory_xact_lock(hashtextextended('${table}/' || $1 || '/' || $2, 0)))`;

const pageClause = 'where tenant = $1 and user_id = $2 and position > $3 order by position limit $4';

// One row more than asked for tells whether there is a next page.
const pageValuesOf = ({ tenant, userId, limit, after }: PageRequest) => [tenant, userId, positionOf(after), limit + 1];

function positionOf(cursor = '0'): bigint {
  if (!/^\d{1,18}$/.test(cursor)) throw new Problem('invalid-cursor');
  return BigInt(cursor);
}

function toPage<Row extends { position: bigint }, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  toItem: (row: Row) => Item,
): Page<Item> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(toItem),
    ...(rows.length > limit && last !== undefined && { next: String(last.position) }),
  };
}
