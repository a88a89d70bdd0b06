import { z } from 'zod';
import { amountsByCurrency, duration, oneOf, share } from '../config/kinds.ts';
import { currencyCodes } from '../definition/currencies.ts';

/** What an operator sets for transfers. */
export const transferSettings = z.object({
  approvalLimits: amountsByCurrency(currencyCodes)
    .prefault('EUR:1000000,USD:1000000,GBP:1000000,CHF:1000000,JPY:1000000')
    .describe(
      'Transfers above so many minor units of their currency wait for a second person. In a currency that is not listed every transfer does.',
    ),
  settleApproval: oneOf('single', 'second-person')
    .prefault('single')
    .describe(
      'Who may settle a transfer by hand or release money from suspense: one person alone, or one who proposes and another who confirms.',
    ),
  approvalTimeout: duration('1s', '365d').prefault('72h').describe('How long such a transfer waits before it expires.'),
  atOnceShare: share
    .prefault('0')
    .describe(
      'The share of new transfers that one commit may complete. Raise it from 0 once no worker of an earlier release is left.',
    ),
  reconcile: oneOf('resume', 'report')
    .prefault('resume')
    .describe('What workers do with transfers that stopped before their end: resume them, or only report them.'),
  reconcileInterval: duration('1s', '1h').prefault('30s').describe('How often workers look for such transfers.'),
  reconcileAge: duration('1s', '30d')
    .prefault('10m')
    .describe('Younger transfers are left alone. A transfer that still runs is looked at again after so long.'),
});
