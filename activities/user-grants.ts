import type { Inbox } from '../src/adapters/inbox.ts';
import { typed } from './failures.ts';
import { type MessageKind, messageTextOf } from './user-grants-texts.ts';

/** The user of an effect. Each kind of effect exists once for each user and generation, for ever. */
export interface UserKey {
  readonly tenant: string;
  readonly userId: string;
  /** The generation of the key, from 1. */
  readonly generation: number;
}

export type DiscountKind = 'welcome' | 'adult';

const discountPercents: Readonly<Record<DiscountKind, number>> = { welcome: 10, adult: 5 };

/**
 * The effects of user-grants. Each activity is idempotent by (tenant, user, generation, kind): it answers `replayed`
 * where an earlier attempt, or a run before retention ended, was first.
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
