import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { withTimeLimit } from '../timing/time-limit.ts';
import { probeHealth } from './eager-starts.ts';

const probeEveryMs = 1_000;
/** Each of them takes a second. */
const maxSilentProbes = 2;
const connectTimeoutMs = 1_000;

/**
 * Rejects once nothing arrives on the connection any more although Temporal answers on a new one. The SDK needs up to 45
 * seconds to find that out, and in an outage of Temporal itself a new connection would be no better. Resolves when
 * `signal` aborts.
 */
export async function untilLost(
  connection: NativeConnection,
  settings: NativeConnectionOptions,
  signal: AbortSignal,
): Promise<void> {
  const isOver = () => signal.aborted;
  for (let silentProbes = 0; ;) {
    // A silent probe took as long itself.
    if (silentProbes === 0) await sleep(probeEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (isOver()) return;
    silentProbes = (await isSilent(connection)) ? silentProbes + 1 : 0;
    if (silentProbes < maxSilentProbes || !(await answersAnew(settings))) continue;
    // Temporal may have come back between the two.
    if (!(await isSilent(connection))) silentProbes = 0;
    else throw new Error('the connection of the workers is dead: Temporal answers on a new one');
  }
}

const isSilent = async (connection: NativeConnection): Promise<boolean> => (await probeHealth(connection)) === 'silent';

async function answersAnew(settings: NativeConnectionOptions): Promise<boolean> {
  const connecting = NativeConnection.connect(settings);
  try {
    return !(await isSilent(await withTimeLimit(connecting, connectTimeoutMs)));
  } catch {
    return false;
  } finally {
    void connecting.then(closeQuietly, () => undefined);
  }
}

/** A connection that a worker still holds, or one that never ran, stays open. */
export const closeQuietly = (connection: NativeConnection | undefined): Promise<void> | undefined =>
  connection?.close().catch(() => undefined);
