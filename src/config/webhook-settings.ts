import { z } from 'zod';
import { addressBlocks, duration, portRanges, someOf } from './kinds.ts';

/** What an operator sets for webhooks: where they may go, and how long they may take. */
export const webhookSettings = z.object({
  schemes: someOf('https', 'http')
    .prefault('https')
    .describe('The schemes of URLs that webhooks may be sent to. `npm start` sets https,http.'),
  ports: portRanges
    .prefault('443,8443')
    .describe('The ports that webhooks may be sent to, single or as ranges. `npm start` sets 1-65535.'),
  allowCidrs: addressBlocks
    .optional()
    .describe(
      'Private addresses that webhooks may be sent to, such as 10.20.0.0/16 of receivers in the cluster. Not set: public addresses alone. `npm start` sets those of this machine and of private networks.',
    ),
  timeoutMax: duration('1s', '15s')
    .prefault('15s')
    .describe('The longest time one attempt may take, where its caller asks for more. Callers ask for 15s at most.'),
});
