import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { migrate } from '../src/database/migrate.ts';
import { openEmbeddedDatabase } from './database/embedded.ts';
import { cursorSecretEnvironment, developmentKeyEnvironment, endpointKeysEnvironment } from './development-key.ts';
import { lockFolder } from './folder-lock.ts';
import type { Missing } from './plan.ts';
import { StartError } from './start-error.ts';
import { provideTemporal, type TemporalOptions } from './temporal/server.ts';

export interface ProvideOptions extends TemporalOptions {
  readonly missing: Missing;
  readonly logger: Logger;
}

/**
 * Provides what is missing, from the state folder, for this process alone. `environment` tells Portico where it is.
 * Rejects with a {@link StartError} while another process uses the folder.
 */
export async function provide(options: ProvideOptions) {
  const { missing, stateDir, logger } = options;
  const stops: (() => Promise<void>)[] = [];
  /** Stops every part, also after one that fails. */
  const stop = async () => {
    const parts = stops.splice(0).reverse();
    const failures: unknown[] = [];
    for (const part of parts) await part().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  const environment: Record<string, string> = {};
  try {
    if (Object.values(missing).includes(true)) stops.push((await lock(stateDir)).release);
    const temporal = missing.temporal ? await provideTemporal(options) : undefined;
    if (temporal !== undefined) {
      stops.push(temporal.stop);
      environment['TEMPORAL_ADDRESS'] = temporal.address;
    }
    if (missing.database) {
      await refuseOlderRelease(join(stateDir, 'database'));
      const database = await openEmbeddedDatabase({ folder: join(stateDir, 'database'), logger });
      stops.push(database.close);
      // One client at a time: what Portico would do at its start is done before its requests come.
      await migrate({ ownerUrl: database.url, logger });
      environment['DATABASE_URL'] = database.url;
      environment['PORTICO_DATABASE_POOL_MAX'] = '1';
    }
    // Last: an older Portico that still runs here goes on with the key as it is.
    if (missing.developmentKey) Object.assign(environment, developmentKeyEnvironment(stateDir));
    if (missing.cursorSecret) Object.assign(environment, cursorSecretEnvironment(stateDir));
    if (missing.endpointKeys) Object.assign(environment, endpointKeysEnvironment(stateDir));
    return { environment, temporalUi: temporal?.uiAddress, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function lock(folder: string) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return await lockFolder(folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'the state folder cannot be locked';
    throw new StartError(`${reason} (PORTICO_STATE_DIR).`, { cause: error });
  }
}

/** The first release locked the folder of the database alone. It may still run, with a Temporal server of its own. */
async function refuseOlderRelease(folder: string): Promise<void> {
  const held = await lock(folder);
  await held.release();
}
