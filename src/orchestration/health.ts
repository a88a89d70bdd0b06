import { setTimeout as sleep } from 'node:timers/promises';
import proto from '@temporalio/proto';
import { withTimeLimit } from '../timing/time-limit.ts';
import { withinNative } from './calls.ts';
import { methods } from './methods.ts';
import type { BoundServices, Connection } from './services.ts';

/**
 * How a connection answers the question whether Temporal's frontend serves. An `unhealthy` connection carries answers of
 * another kind, errors included. A `silent` one carried none within a second.
 */
export type Health = 'healthy' | 'unhealthy' | 'silent';

export type HealthWatch = ReturnType<typeof watchHealth>;

/** A connection of either kind: ours or native. */
type AnyConnection = Pick<Connection, 'call' | 'isFull'> | Pick<BoundServices, 'healthService' | 'withDeadline'>;

interface HealthAnswer {
  readonly health: Health;
  /** One line for operators. */
  readonly reason: string;
}

const askEveryMs = 1_000;
const answerLimitMs = 1_000;

/** How late a timer may be before the process itself is what was slow; milliseconds. */
const latenessMs = 100;

/** After so many late probes on end a connection counts as silent all the same. */
const maxLateProbes = 10;

const { SERVING } = proto.grpc.health.v1.HealthCheckResponse.ServingStatus;

/** Asks a connection for its health every second, the first time at once, and tells whoever wants to know. */
export function watchHealth(connection: AnyConnection) {
  const readers = new Set<(health: Health) => void>();
  const stopping = new AbortController();
  let latest: HealthAnswer | undefined;

  async function ask(): Promise<Health> {
    const answer = await answerOf(connection);
    if (stopping.signal.aborted) return answer.health;
    latest = answer;
    for (const see of readers) see(answer.health);
    return answer.health;
  }

  async function askUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      const askedAtMs = performance.now();
      await ask();
      const restMs = askEveryMs - (performance.now() - askedAtMs);
      await sleep(Math.max(0, restMs), undefined, { ref: false, signal: stopping.signal }).catch(() => undefined);
    }
  }
  void askUntilStopped();

  return {
    /** Calls `see` with the last answer, if there is one, and with every later one. The returned function ends that. */
    onAnswer(see: (health: Health) => void): () => void {
      readers.add(see);
      if (latest !== undefined) see(latest.health);
      return () => void readers.delete(see);
    },

    /** Asks once more, now. Never rejects. */
    ask,

    /** Throws, saying why, unless the last answer was `healthy`. */
    check(): void {
      if (latest?.health !== 'healthy') throw new Error(latest?.reason ?? 'Temporal was not asked yet');
    },

    stop: (): void => stopping.abort(),
  };
}

/** Asks a connection once. Never rejects. */
export const healthOf = async (connection: AnyConnection): Promise<Health> => (await answerOf(connection)).health;

async function answerOf(connection: AnyConnection): Promise<HealthAnswer> {
  let answer = await probe(connection);
  // Where this process stood still, the answer may have come and waits to be read.
  for (let asked = 1; answer === 'too-late-to-tell' && asked < maxLateProbes; asked += 1)
    answer = await probe(connection);
  return answer === 'too-late-to-tell' ? silence : answer;
}

const silence: HealthAnswer = { health: 'silent', reason: `Temporal does not answer within ${answerLimitMs} ms` };

const fullness: HealthAnswer = {
  health: 'unhealthy',
  reason: 'as many calls are under way as Temporal allows at once',
};

const question = { service: 'temporal.api.workflowservice.v1.WorkflowService' };

const isOurs = (connection: AnyConnection): connection is Extract<AnyConnection, { call: unknown }> =>
  'call' in connection;

/** Asks once. `too-late-to-tell`: the timer that ended it was late itself. */
async function probe(connection: AnyConnection): Promise<HealthAnswer | 'too-late-to-tell'> {
  const askedAtMs = performance.now();
  // The call's own deadline comes later: it frees what a silent connection holds, and decides nothing.
  const limits = { deadlineMs: 2 * answerLimitMs };
  const call = isOurs(connection)
    ? connection.call(methods.checkHealth, question, limits)
    : withinNative(connection, limits, () => connection.healthService.check(question));
  const answer = call.then<HealthAnswer, HealthAnswer>(
    ({ status }) =>
      status === SERVING
        ? { health: 'healthy', reason: 'Temporal serves' }
        : { health: 'unhealthy', reason: 'Temporal says that it does not serve' },
    (error: unknown) => ({
      health: 'unhealthy',
      reason: error instanceof Error ? error.message : 'Temporal answers with an error',
    }),
  );
  return withTimeLimit<HealthAnswer>(answer, answerLimitMs).catch(() => {
    if (performance.now() - askedAtMs > answerLimitMs + latenessMs) return 'too-late-to-tell';
    // A question that still waits for its turn was not asked, and says nothing about the connection.
    return isOurs(connection) && connection.isFull() ? fullness : silence;
  });
}
