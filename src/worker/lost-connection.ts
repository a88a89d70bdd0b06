import type { NativeConnectionOptions } from '@temporalio/worker';
import { healthOf, type HealthWatch } from '../orchestration/health.ts';
import { closeQuietly, connectNative } from './native-connection.ts';

/** Each of them takes a second. */
const maxSilentAnswers = 2;
const connectLimitMs = 1_000;

/**
 * Rejects once a connection stays silent although Temporal answers on a new one. The SDK needs up to 45 seconds to find
 * that out. In an outage of Temporal a new connection would be no better. Never resolves; ends with the watch.
 */
export function untilLost(health: HealthWatch, settings: NativeConnectionOptions): Promise<never> {
  return new Promise((_resolve, reject) => {
    let silentAnswers = 0;
    let isComparing = false;

    async function compare(): Promise<void> {
      isComparing = true;
      // Temporal may have come back between the two questions, so the old connection is asked last.
      const isLost = (await answersOnNewConnection(settings)) && (await health.ask()) === 'silent';
      isComparing = false;
      if (isLost) reject(new Error('the connection of the workers is dead: Temporal answers on a new one'));
    }

    health.onAnswer((answer) => {
      silentAnswers = answer === 'silent' ? silentAnswers + 1 : 0;
      if (silentAnswers >= maxSilentAnswers && !isComparing) void compare();
    });
  });
}

async function answersOnNewConnection(settings: NativeConnectionOptions): Promise<boolean> {
  const connection = await connectNative(settings, connectLimitMs).catch(() => undefined);
  if (connection === undefined) return false;
  try {
    return (await healthOf(connection)) !== 'silent';
  } finally {
    void closeQuietly(connection);
  }
}
