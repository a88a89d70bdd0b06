import { Counter, Gauge, type Registry } from 'prom-client';

/** The metrics of the delivery to queues. A process without a broker shows none of them. */
export function createQueueMetrics(registers: Registry[]) {
  const publishes = new Counter({
    name: 'portico_queue_publishes_total',
    help: 'Attempts to deliver a message to a queue, by how they ended: delivered, or the reason.',
    labelNames: ['result'],
    registers,
  });
  const connected = new Gauge({
    name: 'portico_queue_broker_connected',
    help: 'Whether this process has a connection to the broker of queues: 1 or 0.',
    labelNames: ['broker'],
    registers,
  });

  return {
    countQueuePublish: (result: string): void => publishes.inc({ result }),
    setQueueBrokerConnected: (broker: string, isConnected: boolean): void =>
      connected.set({ broker }, isConnected ? 1 : 0),
  };
}
