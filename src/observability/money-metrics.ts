import { Counter, Gauge, type Registry } from 'prom-client';
import type { MoneyReport } from '../definition/permanent-row.ts';

export type MoneyMetrics = ReturnType<typeof createMoneyMetrics>;

const perReplica = 'Every worker says the same: aggregate with max by.';

/** The metrics of money that is on its way, and of instances that operators have to look at. Amounts are in minor units. */
export function createMoneyMetrics(registry: Registry) {
  const registers = [registry];
  const byCurrency = ['process', 'currency'] as const;
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name, help: `${help} ${perReplica}`, labelNames: [...labelNames], registers });

  const unresolved = {
    minor: gauge('portico_money_unresolved_minor', 'Money taken, and neither delivered nor returned.', byCurrency),
    count: gauge(
      'portico_money_unresolved',
      'Instances whose money was taken and neither delivered nor returned.',
      byCurrency,
    ),
    oldestSeconds: gauge(
      'portico_money_unresolved_oldest_seconds',
      'Since when the oldest such money is away.',
      byCurrency,
    ),
  };
  const suspense = gauge('portico_money_suspense_minor', 'Money in suspense, for people to pay out.', byCurrency);
  const held = gauge('portico_instances_held', 'Instances that operators hold back from the reconciler.', ['process']);
  const interrupted = gauge(
    'portico_instances_interrupted',
    'Instances that stopped before their end, as the reconciler found at its last look.',
    ['process'],
  );
  const countedAt = gauge('portico_money_counted_timestamp_seconds', 'When money was last counted, as Unix time.', [
    'process',
  ]);
  const reconciled = new Counter({
    name: 'portico_reconciled_total',
    help: 'Looks of the reconciler at old unresolved instances, by what it did. Each look is one replica only: sum them.',
    labelNames: ['process', 'result'],
    registers,
  });

  return {
    countReconciled: (processName: string, result: string): void => reconciled.inc({ process: processName, result }),

    setMoney(processName: string, report: MoneyReport): void {
      // A currency without money is in no report: what was said of it before is forgotten.
      for (const each of [...Object.values(unresolved), suspense]) each.reset();
      for (const { currency, ...values } of report.unresolved) {
        const labels = { process: processName, currency };
        unresolved.minor.set(labels, values.minor);
        unresolved.count.set(labels, values.count);
        unresolved.oldestSeconds.set(labels, values.oldestSeconds);
      }
      for (const { currency, minor } of report.suspense) suspense.set({ process: processName, currency }, minor);
      held.set({ process: processName }, report.held);
      interrupted.set({ process: processName }, report.interrupted);
      countedAt.set({ process: processName }, Date.now() / 1_000);
    },
  };
}
