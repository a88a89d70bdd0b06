import { Problem } from '../../src/problems.ts';

/** What becomes of a call to an adapter: it goes through, is held, or fails before or after its effect. */
export type CallHandling = (proceed: () => Promise<unknown>, attempt: number) => Promise<unknown>;

type Method = (argument: never) => Promise<unknown>;

/**
 * An adapter whose calls a test handles. Calls are told apart by a business key, which `keyOf` finds in the argument of a
 * call, so that tests can share a worker.
 */
export function controlCalls<Adapter extends Readonly<Record<string, Method>>>(
  adapter: Adapter,
  keyOf: (argument: never) => string,
) {
  const plans = new Map<string, { handle: CallHandling; attempts: number }>();
  const calls: string[] = [];
  const controlled = (name: string, method: Method) => async (argument: never) => {
    const call = `${keyOf(argument)} ${name}`;
    calls.push(call);
    const plan = plans.get(call);
    if (plan === undefined) return method(argument);
    plan.attempts += 1;
    return plan.handle(() => method(argument), plan.attempts);
  };
  return {
    // The same methods with the same arguments and answers, or failures in their place.
    adapter: Object.fromEntries(
      Object.entries(adapter).map(([name, method]) => [name, controlled(name, method)]),
    ) as unknown as Adapter,

    /** From now on calls of the method for this key are handled so. */
    handle: (key: string, method: string, handle: CallHandling): void => {
      plans.set(`${key} ${method}`, { handle, attempts: 0 });
    },

    /** How often the method was called for this key. */
    callsOf: (key: string, method: string): number => calls.filter((call) => call === `${key} ${method}`).length,
  };
}

/** Lets every call through, as where nothing was said. */
export const passThrough: CallHandling = (proceed) => proceed();

/** Fails the first calls as an adapter does while its database is away. */
export const failFirst =
  (times: number): CallHandling =>
  async (proceed, attempt) => {
    if (attempt <= times) throw new Problem('database-unavailable');
    return proceed();
  };

/** The first call takes effect, and its answer is lost. */
export const loseFirstAnswer: CallHandling = async (proceed, attempt) => {
  const answer = await proceed();
  if (attempt === 1) throw new Problem('database-unavailable');
  return answer;
};

/** No call takes effect, for a reason that no retry cures. */
export const breakBefore: CallHandling = () => Promise.reject(new TypeError('a defect'));

/** Every call takes effect, and then fails for a reason that no retry cures. */
export const breakAfter: CallHandling = async (proceed) => {
  await proceed();
  throw new TypeError('a defect');
};

/** Holds every call at a gate, before its effect or after it. */
export function createGate({ at }: { at: 'entry' | 'exit' }) {
  const opened = createFlag();
  const reached = createFlag();
  const passed = createFlag();
  const hold: CallHandling = async (proceed) => {
    const early = at === 'exit' ? await proceed() : undefined;
    reached.raise();
    await opened.raised;
    const answer = at === 'exit' ? early : await proceed();
    passed.raise();
    return answer;
  };
  return { hold, open: opened.raise, reached: reached.raised, passed: passed.raised };
}

function createFlag() {
  let raise = (): void => undefined;
  const raised = new Promise<void>((resolve) => {
    raise = resolve;
  });
  return { raised, raise: () => raise() };
}
