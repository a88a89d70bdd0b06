import type { Actor } from './envelope.ts';

/** What a firing of a schedule starts. This file holds types only, because workflows import it. */
export interface ScheduledLaunch {
  readonly tenant: string;
  /** The name of the schedule: the first part of the key of each instance. */
  readonly schedule: string;
  readonly process: string;
  readonly version?: number | undefined;
  /** The body of the start without its key field. */
  readonly input: unknown;
  /** Who created the schedule, or replaced it last. */
  readonly startedBy: Actor;
  /** Whether the firing lasts until its instance has closed, so that the overlap policy sees it. */
  readonly waits: boolean;
  /** A firing that no worker took up for so long is not made up. */
  readonly catchUpMs: number;
  /** Who asked for firings of past times, the latest last: one entry for each person. */
  readonly backfills?: readonly Backfilled[] | undefined;
}

/** A person who had a schedule fire for past times. */
export interface Backfilled {
  readonly by: Actor;
  /** The first and the last instant of all that this person asked for, in milliseconds since 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** How one look at the instance of a firing found it. `failed`: the engine ended it, not its own code. */
export type FiringState = 'running' | 'ended' | 'failed';

/** How a firing ended. `missed`: no worker took it up within the catch-up window. */
export type FiringResult = 'created' | 'joined' | 'replayed' | 'missed';
