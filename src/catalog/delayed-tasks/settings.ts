import { z } from 'zod';
import { duration, wholeNumber } from '../../config/kinds.ts';
import type { SettingsOf } from '../../config/process-settings.ts';

/** What an operator sets for delayed tasks. */
export const delayedTaskSettings = z.object({
  maxOpen: wholeNumber(0, 10_000_000)
    .prefault('10000')
    .describe(
      'Delayed tasks of one tenant that may be open at once; further ones are refused. Each api process counts about once a minute, so bursts may pass it. 0 refuses all.',
    ),
  deadLetterTime: duration('1s', '365d')
    .prefault('30d')
    .describe('How long a dead letter waits to be delivered again before its task ends as dead.'),
});

/** How many delayed tasks of one tenant may be open at once. */
export const openLimit = (settingsOf: SettingsOf): number => settingsOf(delayedTaskSettings).maxOpen;
