import type { Adapters } from '../src/adapters/index.ts';
import type { SettingsOf } from '../src/config/process-settings.ts';
import type { Gateway } from '../src/orchestration/gateway.ts';
import { createTransferActivities } from './transfers.ts';
import { createUserGrantActivities } from './user-grants.ts';

/** What activities may ask for: every adapter, the gateway, and the settings of their process. */
interface Dependencies extends Adapters {
  readonly gateway: Gateway;
  readonly settingsOf: SettingsOf;
}

/** Every activity of every process, by the name that workflows call. Names are unique across processes. */
export const createActivities = (dependencies: Dependencies) => ({
  ...createTransferActivities(dependencies),
  ...createUserGrantActivities(dependencies),
});
