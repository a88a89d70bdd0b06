import { type Answer, type Cost, dependenciesOf, type Operation, type Services } from '../operations/operation.ts';
import type { Deadlines } from '../orchestration/calls.ts';
import type { Gate } from '../overload/gate.ts';
import { Problem } from '../problems.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import type { MutableCall } from './calls.ts';
import { isSafe } from './methods.ts';
import { endStream } from './streams.ts';

export interface AnswerTimes {
  readonly deadlines: Deadlines;
  /** Time for a handler's own work beside its calls to Temporal, such as a transaction; milliseconds, 4,000 unless told. */
  readonly ownWorkMs?: number;
}

/** How long a handler may take beyond the wait asked for. An answer that is cut says that its effect is unknown. */
const limitMsOf = (cost: Cost, { deadlines, ownWorkMs = 4_000 }: AnswerTimes): number =>
  ownWorkMs + 2 * deadlines.readMs + { read: 0, list: 0, start: deadlines.startMs, action: deadlines.actionMs }[cost];

/** The longest time that an answer without a wait may be prepared; milliseconds. */
export const longestWorkMs = (times: AnswerTimes): number =>
  Math.max(limitMsOf('start', times), limitMsOf('action', times));

/**
 * Gives what the operation answers, or rejects with a problem once its time is up. What a late handler still gives is
 * dropped.
 */
export type Answering = (tenant: string, call: MutableCall, control: AbortController) => Promise<Answer>;

/** The one way to ask an operation, whatever the call came by. The time that a call may wait adds to its limit. */
export function createAnswering(
  operation: Operation,
  gate: Gate,
  { services, ...times }: AnswerTimes & { readonly services: Services },
): Answering {
  const limitMs = limitMsOf(operation.cost, times);
  const onLate = () => latenessOf(operation);
  return async (tenant, call, control) => {
    const answered = inTurn(gate, tenant, call, () => operation.handle(call, services));
    try {
      return await withTimeLimit(answered, limitMs + call.waitMs, onLate);
    } catch (error) {
      control.abort(error);
      call.endTurn();
      answered.then(endStream, () => undefined);
      throw error;
    }
  };
}

/** Runs the handler once the request has its turn, which ends with the answer, unless the handler has ended it before. */
async function inTurn(gate: Gate, tenant: string, call: MutableCall, handle: () => Promise<Answer>): Promise<Answer> {
  const entered = gate.enter(tenant, call.signal);
  const turn = entered instanceof Promise ? await entered : entered;
  call.endTurn = turn.end;
  try {
    const answer = await handle();
    turn.end();
    return answer;
  } catch (error) {
    // A refusal is fast, and an outage may be: only an answer or a wait for one says how long requests take.
    if (error instanceof Problem && error.kind.status === 504) turn.end();
    else turn.drop();
    throw error;
  }
}

function latenessOf(operation: Operation): Problem {
  if (!isSafe(operation.method)) return new Problem('outcome-unknown');
  if (dependenciesOf(operation).includes('orchestration')) return new Problem('orchestration-timeout');
  return new Problem('database-unavailable', { detail: 'The database did not answer in time; nothing was changed.' });
}
