import { defineUpdate } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, Envelope } from '../src/catalog/envelope.ts';
import type {
  Accepted,
  Approval,
  Cancellation,
  Rejection,
  Resolution,
  TransferInput,
  TransferOutput,
} from '../src/catalog/transfers.ts';

export const approve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Approval>]>('approve');
export const reject = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Rejection>]>('reject');
export const cancel = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Cancellation>]>('cancel');
export const resolve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Resolution>]>('resolve');

export async function transfers({ input }: Envelope<TransferInput>): Promise<TransferOutput> {
  await Promise.resolve();
  return { outcome: 'completed', transferId: input.transferId, amount: input.amount };
}
