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
import { grpcCode, grpcCodeOf, isRefusal, withoutEffectMark } from './failures.ts';
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

const probeEveryMs = 1_000;
const probeTimeoutMs = 1_000;

/**
 * The connection of the HTTP side. It is lazy: Portico serves while Temporal is away, and reconnects within about a
 * second after its return (the channel's own back-off would take up to two minutes). One on which nothing arrives any
 * more is made anew after two seconds. Calls under way when it is closed fail.
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
  const probing = whenSilent(connection, () => channel?.renew());
  return {
    connection,
    async close(): Promise<void> {
      clearInterval(probing);
      await retries.end();
      await connection.close();
    },
  };
}

/** Asks the frontend every second whether it serves, and calls `act` where no answer of whatever kind comes. */
function whenSilent(connection: Connection, act: () => void): NodeJS.Timeout {
  let isProbing = false;
  async function probe(): Promise<void> {
    if (isProbing) return;
    isProbing = true;
    try {
      await connection.withDeadline(Date.now() + probeTimeoutMs, () => connection.healthService.check({}));
    } catch (error) {
      if (grpcCodeOf(error) === grpcCode.DEADLINE_EXCEEDED) act();
    } finally {
      isProbing = false;
    }
  }
  return setInterval(() => void probe(), probeEveryMs).unref();
}

/**
 * Three attempts in all: the SDK's default of ten would hide the cause behind a deadline. A retry that comes due on a
 * closed channel throws where nobody can catch it: `end` lets those begin that are due, and no other.
 */
function createRetries() {
  const usual = defaultGrpcRetryOptions({ maxAttempts: 3, initialIntervalMs: () => 100 });
  let isEnding = false;
  let lastDueMs = 0;
  return {
    interceptor: makeGrpcRetryInterceptor({
      retryableDecider: (attempt, status) => !isEnding && usual.retryableDecider(attempt, status),
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

// The channel's own words when it had no connection to send over, and when it was left before it had one.
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

/** What is polled for was accepted before, by a call that succeeded: that the poll fails says nothing about it. */
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
