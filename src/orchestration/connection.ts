import { setTimeout as sleep } from 'node:timers/promises';
import {
  InterceptingCall,
  type Interceptor,
  type InterceptorOptions,
  status as grpcStatus,
  type StatusObject,
} from '@grpc/grpc-js';
import { Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { isRefusal, withoutEffectMark } from './failures.ts';
import { watchHealth } from './health.ts';
import { createRenewableChannel, type RenewableChannel } from './renewable-channel.ts';

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
 * The connection of the HTTP side. It is lazy: Portico serves while Temporal is away, and reconnects within about a
 * second after its return (the channel's own back-off would take up to two minutes). A silent connection is made anew
 * after two seconds. Calls under way when it is closed fail.
 */
export function createConnection(options: {
  settings: ReturnType<typeof temporalSettingsOf>['connection'];
  observe: ObserveRequest;
}) {
  const retries = createRetries();
  let channel: RenewableChannel | undefined;
  const connection = Connection.lazy({
    ...options.settings,
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 1_000,
      channelFactoryOverride: (...settings: Parameters<typeof createRenewableChannel>) =>
        (channel = createRenewableChannel(...settings)),
    },
    interceptors: [retries.interceptor, marking, observing(options.observe)],
  });
  const health = watchHealth(connection);
  health.onAnswer((answer) => {
    if (answer === 'silent') channel?.renew();
  });
  return {
    connection,
    health,
    async close(): Promise<void> {
      health.stop();
      await retries.end();
      await connection.close();
    },
  };
}

/**
 * Three attempts in all: the SDK's default of ten would hide the cause behind a deadline. A retry on a closed channel
 * throws where nobody can catch it, so `end` waits for the retries that are due and allows no other.
 */
function createRetries() {
  const usual = defaultGrpcRetryOptions({ maxAttempts: 3, initialIntervalMs: () => 100 });
  let isEnding = false;
  let lastDueMs = 0;
  return {
    interceptor: makeGrpcRetryInterceptor({
      // A server that throttles is not asked again: the caller is told when to come back.
      retryableDecider: (attempt, status) =>
        !isEnding && status.code !== grpcStatus.RESOURCE_EXHAUSTED && usual.retryableDecider(attempt, status),
      delayFunction: (attempt, status) => {
        const delayMs = usual.delayFunction(attempt, status);
        lastDueMs = Math.max(lastDueMs, performance.now() + delayMs);
        return delayMs;
      },
    }),
    async end(): Promise<void> {
      isEnding = true;
      const delayMs = lastDueMs - performance.now();
      // On a busy machine timers are late, and a call that failed just now may still set one.
      await sleep(Math.max(0, Math.ceil(delayMs)) + 200);
    },
  };
}

const observing =
  (observe: ObserveRequest): Interceptor =>
  (options, nextCall) => {
    const startedAtMs = performance.now();
    const method = options.method_definition.path.slice(options.method_definition.path.lastIndexOf('/') + 1);
    return onStatus(nextCall(options), ({ code }) => {
      observe(method, grpcStatus[code], (performance.now() - startedAtMs) / 1_000);
    });
  };

/** Calls of which an attempt may have had an effect. The attempts of one call share their options. */
const perhapsDone = new WeakSet<InterceptorOptions>();

// The channel's own text for a call that it never sent: it had no connection, or was closed before it had one.
const wordsForUnsent = /^(No connection established|Channel closed before call started)/;

const marking: Interceptor = (options, nextCall) =>
  onStatus(nextCall(options), (status) => {
    if (status.code === grpcStatus.OK) return;
    if (!isUnsent(status) && !isRefusal(status)) perhapsDone.add(options);
    if (perhapsDone.has(options) || asksForAnswer(options)) return;
    // Calls that fail for want of a connection share one metadata object.
    status.metadata = status.metadata.clone();
    status.metadata.set(withoutEffectMark, '1');
  });

const isUnsent = ({ code, details }: StatusObject): boolean =>
  code === grpcStatus.UNAVAILABLE && wordsForUnsent.test(details);

/** A poll asks for an action that an earlier call made. A failed poll says nothing about that action. */
const asksForAnswer = ({ method_definition: { path } }: InterceptorOptions): boolean =>
  path.endsWith('/PollWorkflowExecutionUpdate');

const onStatus = (
  call: ConstructorParameters<typeof InterceptingCall>[0],
  see: (status: StatusObject) => void,
): InterceptingCall =>
  new InterceptingCall(call, {
    start(metadata, _listener, next) {
      next(metadata, {
        onReceiveStatus(status, forward) {
          see(status);
          forward(status);
        },
      });
    },
  });
