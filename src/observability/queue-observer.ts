import type { QueueObserver } from '../adapters/queues/broker.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Says by a gauge and in the log when the broker of queues goes away, and when it is back. */
export const createQueueObserver = (options: {
  readonly metrics: Pick<Metrics, 'setQueueBrokerConnected'>;
  readonly logger: Logger;
}): QueueObserver => ({
  onConnection(broker, reason): void {
    options.metrics.setQueueBrokerConnected(broker, reason === undefined);
    if (reason === undefined) options.logger.info({ broker }, 'the broker of queues is there');
    else options.logger.warn({ broker, reason }, 'the broker of queues is away');
  },
});
