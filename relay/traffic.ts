import { createBrake } from './brake.ts';
import type { PauseReason } from './outcome.ts';

/** Rows that were not answered twice go by themselves, so that one that never is cannot hold up the others. */
export type Kind = 'others' | 'suspects';

/** Leave to claim so many rows. It ends in exactly one of the functions of {@link Traffic} that take it. */
export interface Turn {
  readonly kind: Kind;
  readonly limit: number;
  readonly isProbe: boolean;
}

export type Traffic = ReturnType<typeof createTraffic>;

/**
 * Says how much may be sent now. The first batch after a start or a failure is one row. Each answer doubles the most
 * that is sent at once, each failure halves it. A pause holds back both kinds, until a row of the kind that met it brings a good answer.
 */
export function createTraffic(options: {
  readonly batch: number;
  readonly shortestMs: number;
  readonly longestMs: number;
  readonly onPause: (reason: PauseReason) => void;
  readonly onResume: () => void;
}) {
  const { batch, onPause, onResume } = options;
  const brakes = { others: createBrake(options), suspects: createBrake(options) };
  let width = 1;
  let pause: { readonly reason: PauseReason; readonly by: Kind } | undefined;

  function resume(): void {
    if (pause === undefined) return;
    pause = undefined;
    brakes.others.release();
    brakes.suspects.release();
    onResume();
  }

  function pull({ kind, isProbe }: Turn, askedMs: number): void {
    if (kind === 'others') width = Math.max(1, Math.floor(width / 2));
    brakes[kind].pull({ askedMs, wasProbe: isProbe });
  }

  return {
    paused: (): PauseReason | undefined => pause?.reason,
    /** Whether the last request of the kind was answered. */
    isAnswered: (kind: Kind): boolean => brakes[kind].isOpen(),

    /** A turn, or how many milliseconds to wait before the next question. */
    ask(kind: Kind): Turn | number {
      if (pause !== undefined && pause.by !== kind) return idleMs;
      const leave = brakes[kind].ask();
      if (typeof leave === 'number') return leave;
      const isProbe = leave === 'probe';
      return { kind, limit: isProbe ? 1 : width, isProbe };
    },

    /** Nothing was due. Where the relay is paused nothing waits for it, and the next row will show. */
    nothing({ kind, isProbe }: Turn): void {
      if (pause?.by === kind && isProbe) resume();
      else if (isProbe) brakes[kind].keep();
    },

    /** Nothing was sent, whatever waits. */
    unused({ kind, isProbe }: Turn): void {
      if (isProbe) brakes[kind].keep();
    },

    /** Portico answered. While the relay is paused, only the probe shows that what it paused for is over. */
    answered({ kind, isProbe }: Turn): void {
      if (kind === 'others') width = Math.min(width * 2, batch);
      if (pause === undefined) brakes[kind].release();
      else if (pause.by === kind && isProbe) resume();
    },

    /** No answer, or a refusal that passes. */
    failed: pull,

    /** Nothing can be sent until somebody puts something right. */
    pause(turn: Turn, reason: PauseReason): void {
      pull(turn, 0);
      if (pause?.reason !== reason) onPause(reason);
      pause = { reason, by: pause?.by ?? turn.kind };
    },
  };
}

const idleMs = 250;
