import type { Logger } from 'pino';
import type { ProcessDefinition } from '../definition/definition.ts';
import { type Reconciliation, rowsOf } from '../definition/permanent-row.ts';
import type { MoneyMetrics } from '../observability/money-metrics.ts';
import type { Gateway } from '../orchestration/gateway.ts';
import { watchMoney } from './money-watch.ts';
import { startReconciler } from './reconciler.ts';

/** Runs what looks after the permanent rows of every process that has some. */
export function startReconciliation(options: {
  readonly definitions: readonly ProcessDefinition[];
  readonly reconciliations: Readonly<Record<string, Reconciliation>>;
  readonly gateway: Gateway;
  readonly metrics: MoneyMetrics;
  readonly logger: Logger;
}): { stop(): Promise<void> } {
  const { definitions, reconciliations, gateway, metrics, logger } = options;
  // Versions of one process share their rows; instances do not tell versions apart.
  const byRows = new Map(definitions.map((definition) => [definition.permanentRow?.rows, definition]));
  const parts = [...byRows.values()].flatMap((definition) => {
    const reconciliation = rowsOf(definition, reconciliations);
    if (reconciliation === undefined) return [];
    const { everyMs, rows } = reconciliation;
    const count = (result: string) => metrics.countReconciled(definition.name, result);
    return [
      startReconciler({ definition, reconciliation, gateway, count, logger }),
      watchMoney({ processName: definition.name, report: rows.report, setMoney: metrics.setMoney, everyMs, logger }),
    ];
  });

  return {
    async stop(): Promise<void> {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
