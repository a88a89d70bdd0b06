import type { Transfer } from './transfers.ts';

/** Both ways to cancel. Each resolves once history holds the cancel; `answer` is what the caller learns later, if anything. */
export const waysToCancel = [
  {
    way: 'the action',
    cancel: async (transfer: Transfer) => {
      const answer = transfer.answerOf('cancel', {});
      await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
      return { answer };
    },
  },
  {
    way: 'Temporal',
    cancel: async (transfer: Transfer) => {
      await transfer.handle.cancel();
      await transfer.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED');
      return { answer: undefined };
    },
  },
];
