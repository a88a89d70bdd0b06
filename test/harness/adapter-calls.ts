import { Problem } from '../../src/problems.ts';

/** What a test does to one call of an adapter: let it through, hold it, fail before or after it. */
export type Interference = (proceed: () => Promise<unknown>, attempt: number) => Promise<unknown>;

type Method = (argument: never) => Promise<unknown>;

/**
 * Puts itself between activities and an adapter. Calls are told apart by a business key, so that tests can share a
 * worker; `keyOf` finds it in a call's argument.
 */
export function interfereWith<Adapter extends Readonly<Record<string, Method>>>(
  adapter: Adapter,
  keyOf: (argument: never) => string,
) {
  const plans = new Map<string, { interference: Interference; attempts: number }>();
  const calls: string[] = [];
  const interfered = (name: string, method: Method) => async (argument: never) => {
    const call = `${keyOf(argument)} ${name}`;
    calls.push(call);
    const plan = plans.get(call);
    if (plan === undefined) return method(argument);
    plan.attempts += 1;
    return plan.interference(() => method(argument), plan.attempts);
  };
  return {
    // The same methods with the same arguments and answers, or failures in their place.
    adapter: Object.fromEntries(
      Object.entries(adapter).map(([name, method]) => [name, interfered(name, method)]),
    ) as unknown as Adapter,

    /** From now on the method is interfered with for this key. */
    on: (key: string, method: string, interference: Interference): void => {
      plans.set(`${key} ${method}`, { interference, attempts: 0 });
    },

    /** How often the method was called for this key. */
    callsOf: (key: string, method: string): number => calls.filter((call) => call === `${key} ${method}`).length,
  };
}

/** Takes an earlier interference back. */
export const undisturbed: Interference = (proceed) => proceed();

/** Fails the first calls as an adapter does while its database is away. */
export const failFirst =
  (times: number): Interference =>
  async (proceed, attempt) => {
    if (attempt <= times) throw new Problem('database-unavailable');
    return proceed();
  };

/** The first call takes effect, and its answer is lost. */
export const loseFirstAnswer: Interference = async (proceed, attempt) => {
  const answer = await proceed();
  if (attempt === 1) throw new Problem('database-unavailable');
  return answer;
};

/** No call takes effect, for a reason that no retry cures. */
export const breakBefore: Interference = () => Promise.reject(new TypeError('a defect'));

/** Every call takes effect, and then fails for a reason that no retry cures. */
export const breakAfter: Interference = async (proceed) => {
  await proceed();
  throw new TypeError('a defect');
};

/** Holds every call at a gate, before its effect or after it. */
export function createGate({ at }: { at: 'entry' | 'exit' }) {
  const opened = createFlag();
  const reached = createFlag();
  const passed = createFlag();
  const interference: Interference = async (proceed) => {
    const early = at === 'exit' ? await proceed() : undefined;
    reached.raise();
    await opened.raised;
    const answer = at === 'exit' ? early : await proceed();
    passed.raise();
    return answer;
  };
  return { interference, open: opened.raise, reached: reached.raised, passed: passed.raised };
}

function createFlag() {
  let raise = (): void => undefined;
  const raised = new Promise<void>((resolve) => {
    raise = resolve;
  });
  return { raised, raise: () => raise() };
}
