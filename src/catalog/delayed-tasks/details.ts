import { z } from 'zod';

/** What every answer shows of a delayed task. */
export const delayedTaskDetails = z.object({
  dueAt: z.iso.datetime().describe('When the task is due, or was when its first attempt began.'),
  expiresAt: z.iso.datetime().optional(),
  delivers: z.enum(['webhook', 'queue', 'process']),
  process: z.object({ name: z.string(), version: z.int() }).optional().describe('The process that the task starts.'),
});

export type DelayedTaskDetails = z.output<typeof delayedTaskDetails>;
