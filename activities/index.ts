import type { Adapters } from '../src/adapters/index.ts';
import type { SettingsOf } from '../src/config/process-settings.ts';
import type { JudgingServices, ProcessDefinition } from '../src/definition/definition.ts';
import type { PermanentRowsByName } from '../src/definition/permanent-row.ts';
import type { Gateway } from '../src/orchestration/gateway.ts';
import { createDelayedTaskActivities, type DeliveryObserver, type DeliveryRoom } from './delayed-tasks.ts';
import { createScheduleActivities } from './schedules.ts';
import { createTransferActivities } from './transfers.ts';
import { createUserGrantActivities } from './user-grants.ts';

/** What activities may ask for: every adapter, the gateway, and the settings of their process. */
interface Dependencies extends Adapters {
  readonly gateway: Gateway;
  /** What definitions judge a start with. */
  readonly judging: JudgingServices;
  readonly settingsOf: SettingsOf;
  /** What this process offers: activities may start it. */
  readonly definitions: readonly ProcessDefinition[];
  /** By the names that definitions use. */
  readonly permanentRows: PermanentRowsByName;
  readonly deliveryObserver: DeliveryObserver;
  readonly deliveryRoom: DeliveryRoom;
  /** Aborts when the activity with this very input is cancelled, as a worker does that stops. */
  readonly signalOf: (input: object) => AbortSignal | undefined;
  /** Counts a firing of a schedule, by process and result. */
  readonly observeFiring: (process: string, result: string, seconds: number) => void;
}

/** Every activity of every process, by the name that workflows call. Names are unique across processes. */
export const createActivities = (dependencies: Dependencies) => ({
  ...createDelayedTaskActivities(dependencies),
  ...createScheduleActivities(dependencies),
  ...createTransferActivities(dependencies),
  ...createUserGrantActivities(dependencies),
});
