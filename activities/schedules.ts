import { definitionOf } from '../src/definition/launch-target.ts';
import type { PermanentRowsByName } from '../src/definition/permanent-row.ts';
import type { FiringState, ScheduledLaunch } from '../src/definition/scheduled-launch.ts';
import { tellForgotten, tellOne } from '../src/definition/told.ts';
import type { Gateway } from '../src/orchestration/gateway.ts';
import { Problem } from '../src/problems.ts';
import { failureOf, typed } from './failures.ts';
import { createLaunch, type LaunchDependencies, type Launched } from './launch.ts';

/** A launch of a schedule at one nominal time. */
interface Firing {
  readonly launch: ScheduledLaunch;
  /** The nominal time, which the key of the instance ends in: `2026-11-22T10:00:00Z`. */
  readonly time: string;
  /** When the engine began the firing, in milliseconds since 1970. */
  readonly begunAtMs: number;
}

/** An instance of a firing. */
interface Fired {
  readonly launch: ScheduledLaunch;
  readonly key: string;
}

interface Dependencies extends LaunchDependencies {
  readonly gateway: Pick<Gateway, 'start' | 'findStarted' | 'admitOpen' | 'describe' | 'act'>;
  /** By the names that definitions use. */
  readonly permanentRows: PermanentRowsByName;
  /** Counts a firing by how it ended, with the time from its begin until its instance was there. */
  readonly observeFiring: (process: string, result: string, seconds: number) => void;
}

/** What a firing of a schedule does. */
export function createScheduleActivities(dependencies: Dependencies) {
  const { gateway, definitions, observeFiring, permanentRows } = dependencies;
  const start = createLaunch(dependencies);
  const addressOf = ({ launch: { tenant, ...target }, key }: Fired) => ({
    definition: definitionOf(definitions, target),
    tenant,
    key,
  });

  return {
    /** Starts the instance of a firing, at most once for schedule and time. */
    fire: ({ launch: { schedule, backfills = [], ...target }, time, begunAtMs }: Firing): Promise<Launched> =>
      typed(async () => {
        const atMs = Date.parse(time);
        const backfilled = backfills.filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs <= untilMs);
        const alsoAskedBy = backfilled.map(({ by }) => by);
        const launched = await start({ ...target, key: `${schedule}.${time}`, alsoAskedBy }).catch(refusedByLimit);
        const result = launched.kind === 'refused' ? launched.code : launched.kind;
        observeFiring(target.process, result, Math.max(0, Date.now() - begunAtMs) / 1_000);
        return launched;
      }),

    /** Counts a firing that nobody took up in time. */
    miss({ launch, begunAtMs }: Omit<Firing, 'time'>): Promise<void> {
      observeFiring(launch.process, 'missed', Math.max(0, Date.now() - begunAtMs) / 1_000);
      return Promise.resolve();
    },

    /**
     * How the instance of a firing stands. One that the engine ended or has forgotten runs on while its permanent row has
     * no outcome: the reconciler resumes it.
     */
    look: (fired: Fired): Promise<FiringState> =>
      typed(async () => {
        const address = addressOf(fired);
        const snapshot = await gateway.describe(address);
        const told =
          snapshot === undefined
            ? await tellForgotten(address, fired.key, permanentRows)
            : await tellOne(address, snapshot, permanentRows);
        if (told?.status === 'running') return 'running';
        return told?.endedBy === 'engine' && told.outcome !== 'cancelled' ? 'failed' : 'ended';
      }),

    /**
     * Asks the instance of a firing to cancel itself, as whoever made the schedule. `refused`: not now; it may be asked
     * again, as another request: a refusal is final under its key. `asked` counts the requests.
     */
    cancelFired: ({
      asked: number = 1,
      ...fired
    }: Fired & { readonly asked?: number }): Promise<'accepted' | 'refused'> =>
      typed(async () => {
        const asked = { action: 'cancel', body: {}, input: {}, actor: fired.launch.startedBy } as const;
        const idempotencyKey = `overlap.${fired.launch.schedule}.${number}`;
        try {
          await gateway.act({ ...addressOf(fired), ...asked, idempotencyKey });
          return 'accepted';
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          if (error.kind.retryable) throw failureOf('unavailable', error.message, error);
          return 'refused';
        }
      }),
  };
}

/** Firings that waited for room would become ever more: the next one comes by itself. */
function refusedByLimit(error: unknown): Launched {
  if (error instanceof Problem && error.code === 'limit-reached') return { kind: 'refused', code: error.code };
  throw error;
}
