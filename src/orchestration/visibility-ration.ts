import { Problem } from '../problems.ts';
import { createFairGate } from '../timing/fair-gate.ts';
import { createReturnTimes } from '../timing/return-times.ts';

/**
 * Resolves when a question may be put to Temporal's visibility store. Throws `overloaded` where that would take more than
 * two seconds, with the time after which asking again is worth while. The tenants take turns.
 */
export type VisibilityTurn = (tenant: string) => Promise<void>;

const windowMs = 1_000;
const patienceMs = 2_000;

/**
 * Keeps the questions of this process to `perSecond` in any second; 0 for no limit. The store serves few, ten a second
 * for a namespace unless it is told otherwise, and what it refuses is lost for the caller who waited.
 */
export function createVisibilityRation({ perSecond }: { readonly perSecond: number }): VisibilityTurn {
  if (perSecond === 0) return () => Promise.resolve();
  // A slot is given back one second after it was taken.
  const gate = createFairGate({ slots: () => perSecond });
  const returnAfterMs = createReturnTimes({ perSecond: () => perSecond });

  function refuse(): never {
    throw new Problem('overloaded', { retryAfterMs: returnAfterMs(gate.waiting) });
  }

  return async (tenant) => {
    if (gate.waitingIn(tenant) >= (perSecond * patienceMs) / windowMs) refuse();
    if (!(await gate.enter(tenant, patienceMs))) refuse();
    setTimeout(gate.leave, windowMs).unref();
  };
}
