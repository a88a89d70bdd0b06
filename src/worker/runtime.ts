import { type LogLevel, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';

/**
 * Sets up the SDK's runtime; call it before any native connection is made. Signals stay Portico's, the SDK's logs go into
 * `logger`, and `/metrics` fetches the SDK's metrics from a loopback port. The runtime ends with its last connection. `endUnused`
 * ends one that never had any.
 */
export function installRuntime({ logger, metricsPort }: { logger: Logger; metricsPort: number }) {
  const runtime = Runtime.install({
    shutdownSignals: [],
    logger: toSdkLogger(logger),
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
      metrics: {
        attachServiceName: false,
        prometheus: {
          bindAddress: `127.0.0.1:${metricsPort}`,
          countersTotalSuffix: true,
          unitSuffix: true,
          useSecondsForDurations: true,
        },
      },
    },
  });
  return { endUnused: (): Promise<void> => runtime.shutdown() };
}

// The SDK's informative lines are details here.
const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;

/** The SDK's logger over ours. */
export function toSdkLogger(logger: Logger) {
  // Only ids and the error are logged: other attributes can hold payloads. The SDK's core gives its errors as text.
  const log = (level: LogLevel, message: string, attributes: Record<string, unknown> = {}) => {
    const { workflowId, workflowType, taskQueue, activityType, attempt, error } = attributes;
    logger[levels[level]](
      {
        workflowId,
        workflowType,
        taskQueue,
        activityType,
        attempt,
        [typeof error === 'string' ? 'reason' : 'err']: error,
      },
      message,
    );
  };
  return {
    log,
    trace: (message: string, attributes?: Record<string, unknown>) => log('TRACE', message, attributes),
    debug: (message: string, attributes?: Record<string, unknown>) => log('DEBUG', message, attributes),
    info: (message: string, attributes?: Record<string, unknown>) => log('INFO', message, attributes),
    warn: (message: string, attributes?: Record<string, unknown>) => log('WARN', message, attributes),
    error: (message: string, attributes?: Record<string, unknown>) => log('ERROR', message, attributes),
  };
}
