import { z } from 'zod';
import { plainText, wholeNumber } from '../src/config/kinds.ts';
import { descriptionsOf } from '../src/config/settings.ts';

/** What `npm start` and `npm run token` read beside the settings of Portico itself, which never sees these. */
export const localSettings = z.object({
  PORTICO_STATE_DIR: plainText
    .prefault('.portico')
    .describe('The folder of the embedded database, the Temporal server, the development key and the cursor secret.'),
  TEMPORAL_CLI_PATH: plainText
    .optional()
    .describe('The Temporal program that is run. Not set: `temporal` on PATH, then a download.'),
  // The port of the Web UI must be one as well.
  TEMPORAL_DEV_PORT: wholeNumber(1, 64_535)
    .optional()
    .describe('The port of the Temporal server that is run; its Web UI is 1000 above. Not set: that of last time.'),
});

export type LocalSettings = z.output<typeof localSettings>;

export const localNames: readonly string[] = Object.keys(localSettings.shape);

/** In the order of the schema, for `.env.example` and the documentation. */
export const describeLocalSettings = () => descriptionsOf(localSettings.shape);
