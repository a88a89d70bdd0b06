import { Gauge, type Registry } from 'prom-client';

/** The metrics of the connection to the broker of queues. A process without a broker shows none of them. */
export function createQueueMetrics(registers: Registry[]) {
  const connected = new Gauge({
    name: 'portico_queue_broker_connected',
    help: 'Whether this process has a connection to the broker of queues: 1 or 0.',
    labelNames: ['broker'],
    registers,
  });

  return {
    setQueueBrokerConnected: (broker: string, isConnected: boolean): void =>
      connected.set({ broker }, isConnected ? 1 : 0),
  };
}
