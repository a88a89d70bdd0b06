import { endpointSettings } from './endpoint-settings.ts';
import type { SettingsOwner } from './process-settings.ts';
import { queueSettings } from './queue-settings.ts';
import { webhookSettings } from './webhook-settings.ts';

/** What has settings of its own and is no process. */
export const settingsOwners: readonly SettingsOwner[] = [
  { name: 'endpoints', settings: endpointSettings },
  { name: 'queues', settings: queueSettings },
  { name: 'webhooks', settings: webhookSettings },
];
