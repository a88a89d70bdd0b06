import { describeProcessSettings, type SettingsOwner } from './process-settings.ts';
import { describeSettings, type SettingDescription } from './settings.ts';
import { settingsOwners } from './settings-owners.ts';

/** Every setting for `.env.example` and the documentation: of Portico, of these processes, of adapters and resources. */
export const describeAllSettings = (processes: readonly SettingsOwner[]): readonly SettingDescription[] => [
  ...describeSettings(),
  ...describeProcessSettings([...processes, ...settingsOwners]),
];
