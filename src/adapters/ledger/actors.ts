import type { Actor } from '../../definition/envelope.ts';

/** A subject means one person only with its issuer. */
export const isSameActor = (one: Actor, other: Actor): boolean => one.iss === other.iss && one.sub === other.sub;
