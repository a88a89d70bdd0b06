import type { SettingsOwner } from './process-settings.ts';
import { queueSettings } from './queue-settings.ts';

/** What has settings of its own and is no process. */
export const settingsOwners: readonly SettingsOwner[] = [{ name: 'queues', settings: queueSettings }];
