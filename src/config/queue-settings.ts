import { z } from 'zod';
import { brokerUrl } from './kinds.ts';
import { tenantQueues } from './queue-kinds.ts';

/** What an operator sets for the delivery to queues: both or neither. */
export const queueSettings = z
  .object({
    brokerUrl: brokerUrl
      .optional()
      .describe(
        'The broker of the delivery to queues: amqp:// or amqps:// with user, password, host and virtual host, percent-encoded. Not set: no delivery to queues.',
      ),
    allowed: tenantQueues
      .optional()
      .describe(
        'Queues that a tenant may have messages delivered to, such as acme:orders,acme:mail,*:audit,*:in.{tenant}; * stands for every tenant.',
      ),
  })
  .refine(({ brokerUrl: url, allowed }) => (url === undefined) === (allowed === undefined), {
    message: 'need a broker URL and allowed queues together',
  });
