import type { Logger } from 'pino';
import type { Deadlines } from './calls.ts';
import { createConnection, type ObserveRequest, type temporalSettingsOf } from './connection.ts';
import { createGateway } from './gateway.ts';
import { ensureSearchAttributes } from './register-search-attributes.ts';
import { registerCommand } from './search-attributes.ts';
import type { EagerStarts } from './start.ts';
import { createVisibilityRation } from './visibility-ration.ts';

/** Opens the connection to Temporal with what stands on it. Temporal need not be there: the checks say what is missing. */
export function openOrchestration(options: {
  readonly temporal: ReturnType<typeof temporalSettingsOf>;
  readonly deadlines: Deadlines;
  readonly cursorSecret?: Uint8Array | undefined;
  readonly eagerStarts?: EagerStarts | undefined;
  readonly launchQueue?: string | undefined;
  /** Questions to Temporal's visibility store in one second at most; 0 for no limit. */
  readonly visibilityPerSecond: number;
  readonly observe: ObserveRequest;
  readonly logger: Logger;
}) {
  const { temporal, deadlines, visibilityPerSecond, observe, logger } = options;
  const { cursorSecret, eagerStarts, launchQueue } = options;
  const { namespace } = temporal;
  const { connection, health, close } = createConnection({ settings: temporal.connection, namespace, observe });
  const visibilityTurn = createVisibilityRation({ perSecond: visibilityPerSecond });
  const attributes = ensureSearchAttributes({ connection, namespace, logger });

  return {
    /** The one gateway of this process. */
    gateway: createGateway({
      connection,
      namespace,
      deadlines,
      cursorSecret,
      eagerStarts,
      launchQueue,
      visibilityTurn,
    }),

    checks: {
      attributes: { name: 'search-attributes', check: attributes.check, remedy: registerCommand },
      temporal: {
        name: 'temporal',
        check: health.check,
        remedy: 'see that the Temporal server runs and that the TEMPORAL_ settings reach it',
      },
    },

    /** Calls under way fail. */
    async close(): Promise<void> {
      attributes.stop();
      await close();
    },
  };
}
