import type { Inbox } from '../src/adapters/inbox.ts';
import { typed } from './failures.ts';
import { type MessageKind, messageTextOf } from './user-grants-texts.ts';

/** A user as effects are keyed: each kind of effect exists once for each user and generation, for ever. */
export interface UserKey {
  readonly tenant: string;
  readonly userId: string;
  /** 1 for the first life of the key. */
  readonly generation: number;
}

export type DiscountKind = 'welcome' | 'adult';

const discountPercents: Readonly<Record<DiscountKind, number>> = { welcome: 10, adult: 5 };

/**
 * What user-grants does to the world. Each activity is idempotent by (tenant, user, generation, kind):
 * the answer is `replayed` where an earlier attempt, or a life that Temporal has forgotten, was first.
 */
export function createUserGrantActivities({ inbox }: { inbox: Inbox }) {
  return {
    /** Puts a push message into the user's inbox, in the language nearest to `locale`. */
    sendMessage: ({
      kind,
      name,
      locale,
      ...user
    }: UserKey & { kind: MessageKind; name: string; locale?: string | undefined }) =>
      typed(() => inbox.sendMessage({ ...user, kind, ...messageTextOf({ kind, name, locale }) })),

    /** Grants the discount of this kind. */
    grantDiscount: ({ kind, ...user }: UserKey & { kind: DiscountKind }) =>
      typed(() => inbox.grantDiscount({ ...user, kind, percent: discountPercents[kind] })),
  };
}
