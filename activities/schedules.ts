import { definitionOf } from '../src/definition/launch-target.ts';
import type { FiringState, ScheduledLaunch } from '../src/definition/scheduled-launch.ts';
import type { Gateway } from '../src/orchestration/gateway.ts';
import { Problem } from '../src/problems.ts';
import { failureOf, typed } from './failures.ts';
import { createLaunchActivities, type LaunchDependencies, type Launched } from './launch.ts';

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
  readonly gateway: Pick<Gateway, 'start' | 'findStarted' | 'describe' | 'act'>;
  /** Counts a firing by how it ended, with the time from its begin until its instance was there. */
  readonly observeFiring: (process: string, result: string, seconds: number) => void;
}

/** What a firing of a schedule does. */
export function createScheduleActivities(dependencies: Dependencies) {
  const { gateway, definitions, observeFiring } = dependencies;
  const { launch: launchTarget } = createLaunchActivities(dependencies);
  const addressOf = ({ launch: { tenant, ...target }, key }: Fired) => ({
    definition: definitionOf(definitions, target),
    tenant,
    key,
  });

  return {
    /** Starts the instance of a firing, at most once for schedule and time. */
    async fire({ launch, time, begunAtMs }: Firing): Promise<Launched> {
      const { schedule, backfills = [], ...target } = launch;
      const atMs = Date.parse(time);
      const backfilled = backfills.filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs <= untilMs);
      const alsoAskedBy = backfilled.map(({ by }) => by);
      const launched = await launchTarget({ ...target, key: `${schedule}.${time}`, alsoAskedBy });
      const result = launched.kind === 'refused' ? launched.code : launched.kind;
      observeFiring(target.process, result, Math.max(0, Date.now() - begunAtMs) / 1_000);
      return launched;
    },

    /** Counts a firing that nobody took up in time. */
    miss({ launch, begunAtMs }: Omit<Firing, 'time'>): Promise<void> {
      observeFiring(launch.process, 'missed', Math.max(0, Date.now() - begunAtMs) / 1_000);
      return Promise.resolve();
    },

    /** How the instance of a firing stands. One that the engine has forgotten has ended. */
    look: (fired: Fired): Promise<FiringState> =>
      typed(async () => {
        const snapshot = await gateway.describe(addressOf(fired));
        if (snapshot?.status === 'running') return 'running';
        return snapshot?.endedBy === 'engine' && snapshot.outcome !== 'cancelled' ? 'failed' : 'ended';
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
