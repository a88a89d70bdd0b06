import { Gauge, type Registry } from 'prom-client';

const perReplica = 'Every process that serves HTTP says the same: aggregate with max by.';

/** The gauges of instances that have not ended, over all tenants. */
export function createInstanceMetrics(registers: Registry[]) {
  const open = new Gauge({
    name: 'portico_open_instances',
    help: `Instances that have not ended, by process, as last counted. ${perReplica}`,
    labelNames: ['process'],
    registers,
  });
  const waiting = new Gauge({
    name: 'portico_instances_waiting',
    help: `Instances at a step that waits for others, as last counted. ${perReplica}`,
    labelNames: ['process', 'step'],
    registers,
  });

  return {
    setOpenInstances: (processName: string, count: number): void => open.set({ process: processName }, count),
    setWaitingInstances: (processName: string, step: string, count: number): void =>
      waiting.set({ process: processName, step }, count),
  };
}
