import type { DelayedTaskAttempt, DelayedTaskInput } from '../../src/catalog/delayed-tasks.ts';
import type { Actor } from '../../src/definition/envelope.ts';
import { refuseAction } from '../instance/actions.ts';
import { isSameActor } from '../instance/actor.ts';

/** Where a task stands: the step of that name, or `ended`. */
export type Phase = 'waiting' | 'delivering' | 'retrying' | 'dead-letter' | 'ended';

/** How a task ended, without what every result has. */
export type Ending =
  | { readonly outcome: 'cancelled'; readonly by?: string | undefined }
  | { readonly outcome: 'expired' }
  | { readonly outcome: 'dead'; readonly reason: string; readonly status?: number | undefined }
  | {
      readonly outcome: 'delivered';
      readonly deliveredAt: string;
      readonly status?: number | undefined;
      readonly started?: { readonly process: string; readonly id: string } | undefined;
    };

/** All that a run hands to the next one. Times are milliseconds since the epoch. */
export interface Progress {
  phase: Phase;
  dueAtMs: number;
  /** When the phase ends by itself: the next attempt begins, or the dead letter ends. */
  untilMs: number;
  /** In all. */
  attempts: number;
  /** Of the present series, those that were cut off not counted. */
  counted: number;
  /** Attempts in a row of which nobody said how they ended. */
  lost: number;
  log: DelayedTaskAttempt[];
  deliveryId?: string | undefined;
  ending?: Ending | undefined;
  /** Whoever moved the time of the task, or made it run: they decide about what it starts no more than its creator. */
  askedBy?: readonly Actor[] | undefined;
}

export function firstProgress(dueAtMs: number): Progress {
  return { phase: 'waiting', dueAtMs, untilMs: dueAtMs, attempts: 0, counted: 0, lost: 0, log: [] };
}

const maxLog = 50;

/** Says until when a phase lasts, unless an action has ended it meanwhile. */
export function lastUntil(progress: Progress, phase: Phase, untilMs: number): void {
  if (progress.phase === phase) progress.untilMs = untilMs;
}

const maxAskers = 50;

/** Remembers whoever makes the task run. Refuses the fifty-first person: nobody may be forgotten. */
export function rememberAsker(progress: Progress, actor: Actor): void {
  const askedBy = progress.askedBy ?? [];
  if (askedBy.some((each) => isSameActor(each, actor))) return;
  if (askedBy.length >= maxAskers) refuseAction('action-not-allowed');
  progress.askedBy = [...askedBy, actor];
}

/** Writes an attempt down, the newest first. */
export function logAttempt(progress: Progress, attempt: DelayedTaskAttempt): void {
  progress.log = [attempt, ...progress.log].slice(0, maxLog);
}

/** Ends the task. The first ending stands. */
export function end(progress: Progress, ending: Ending): void {
  if (progress.phase === 'ended') return;
  progress.phase = 'ended';
  progress.ending = ending;
}

export const expiryMsOf = ({ expiresAt }: DelayedTaskInput): number =>
  expiresAt === undefined ? Infinity : Date.parse(expiresAt);
