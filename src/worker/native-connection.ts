import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { withTimeLimit } from '../timing/time-limit.ts';

/**
 * Connects, or rejects after `limitMs` milliseconds: the SDK knows no limit here. Messages are not compressed, which takes a
 * fifth off the CPU time of a start: they are small, and Temporal is near.
 */
export async function connectNative(settings: NativeConnectionOptions, limitMs: number): Promise<NativeConnection> {
  const connecting = NativeConnection.connect({ ...settings, grpcCompression: { codec: 'none' } });
  try {
    return await withTimeLimit(connecting, limitMs);
  } catch (error) {
    void connecting.then(closeQuietly, () => undefined);
    throw error;
  }
}

/** Closes a connection. Does nothing while a worker still uses it. Never rejects. */
export const closeQuietly = (connection: NativeConnection | undefined): Promise<void> | undefined =>
  connection?.close().catch(() => undefined);
