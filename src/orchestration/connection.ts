import { status as grpcStatus } from '@grpc/grpc-js';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { grpcErrorFrom, isRefusal, isWorthRetrying } from './failures.ts';
import { watchHealth } from './health.ts';
import { withinRetryBudget } from './retry-budget.ts';
import { headersFor, type ServerSettings, targetOf } from './server-settings.ts';
import { createServices } from './services.ts';
import { createChannel } from './transport/channel.ts';
import { dial } from './transport/dial.ts';
import { createUnaryCalls } from './transport/unary.ts';

/** Called once for each request to Temporal, retries included. `code` is the name of the gRPC status. */
export type ObserveRequest = (method: string, code: string, seconds: number) => void;

/** Address, TLS and API key as `TEMPORAL_*` say it; understood by both kinds of connection. */
export function temporalSettingsOf(environment: Readonly<Record<string, string>>) {
  const { connectionOptions, namespace } = loadClientConnectConfig({
    overrideEnvVars: { ...environment },
    // A file in somebody's home folder is no setting of Portico unless it is named.
    disableFile: !['TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].some((name) => name in environment),
  });
  return { connection: connectionOptions, namespace: namespace ?? 'default' };
}

/**
 * The connection of the HTTP side. It is lazy: Portico serves while Temporal is away, and reconnects within about a second
 * after its return. A silent connection is made anew after two seconds. Calls under way when it is closed fail.
 */
export function createConnection(options: {
  readonly settings: ServerSettings;
  /** Told in each request's headers, by which a proxy can choose a server. */
  readonly namespace?: string;
  readonly observe: ObserveRequest;
}) {
  const { settings, namespace, observe } = options;
  const target = targetOf(settings);
  const channel = createChannel(() => dial(target));
  const calls = createUnaryCalls(
    withinRetryBudget({
      channel,
      headers: headersFor(settings, target, namespace),
      isRetryable: isWorthRetrying,
      isRefusal,
      observe: (path, code, seconds) => observe(methodOf(path), nameOf(code), seconds),
      errorOf: (path, failure, isWithoutEffect) =>
        grpcErrorFrom(failure, { isWithoutEffect: isWithoutEffect && !asksForAnswer(path) }),
    }),
  );
  const connection = createServices(calls, channel.isFull);
  const health = watchHealth(connection);
  health.onAnswer((answer) => {
    if (answer === 'silent') channel.renew();
  });
  return {
    connection,
    health,
    close(): Promise<void> {
      health.stop();
      calls.close();
      channel.close();
      return Promise.resolve();
    },
  };
}

const nameOf = (code: number): string => (grpcStatus as Readonly<Record<number, string>>)[code] ?? 'UNKNOWN';

const methodOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** A poll asks for an action that an earlier call made. A failed poll says nothing about that action. */
const asksForAnswer = (path: string): boolean => path.endsWith('/PollWorkflowExecutionUpdate');
