import type { Cost, Operation } from '../operations/operation.ts';
import { type CostRules, usualRules } from './cost-rules.ts';
import { createGate, type Gate } from './gate.ts';

/** How one operation stands. */
export interface GateReading extends Pick<Gate, 'limit' | 'underWay' | 'waiting'> {
  readonly operation: string;
  readonly cost: Cost;
}

/**
 * Decides which requests may call Temporal and the database. Each operation has a gate with a limit of its own, which
 * follows how long its requests take. While a dearer operation is short of room, cheaper ones keep to few at once.
 */
export function createAdmission(options: {
  /** Called for each request that is refused. */
  readonly countShed: (operation: string, cost: Cost) => void;
  readonly rules?: Readonly<Record<Cost, CostRules>>;
}) {
  const { countShed, rules = usualRules } = options;
  const gates: { readonly operation: string; readonly cost: Cost; readonly rank: number; readonly gate: Gate }[] = [];

  /** True while an operation of a higher rank uses more than that share of its limit, or has requests that wait. */
  function isShortAbove({ rank, yieldsAt }: CostRules): boolean {
    for (const { rank: other, gate } of gates) {
      if (other > rank && (gate.waiting > 0 || gate.underWay >= yieldsAt * gate.limit)) return true;
    }
    return false;
  }

  return {
    /** The gate of an operation, to be asked for once. */
    gateOf({ operationId, cost }: Pick<Operation, 'operationId' | 'cost'>): Gate {
      const gate = createGate({
        rules: rules[cost],
        mustYield: () => isShortAbove(rules[cost]),
        onShed: () => countShed(operationId, cost),
      });
      gates.push({ operation: operationId, cost, rank: rules[cost].rank, gate });
      return gate;
    },

    /** All operations as they stand. */
    read: (): GateReading[] =>
      gates.map(({ operation, cost, gate: { limit, underWay, waiting } }) => ({
        ...{ operation, cost, limit },
        ...{ underWay, waiting },
      })),
  };
}

export type Admission = ReturnType<typeof createAdmission>;
