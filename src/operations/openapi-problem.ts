import { z } from 'zod';
import { problems } from '../problem-table.ts';

/** The body of every problem, as the document has it. */
export const problemBody = z
  .object({
    type: z.string().describe('A URN that ends in the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string().describe('The path of the request.'),
    code: z.enum(Object.keys(problems)),
    errors: z
      .array(z.object({ pointer: z.string().optional(), parameter: z.string().optional(), message: z.string() }))
      .optional(),
    retryable: z.boolean().describe('Whether the same request, with the same key, can end better.'),
    effect: z
      .enum(['none', 'unknown', 'applied'])
      .meta({ 'x-closed': true })
      .describe('What this request did: nothing, perhaps something (repeat it to learn), or what it asked for.'),
    retryAfterMs: z.int().optional().describe('How long to wait before the next try, in milliseconds.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with the retry verdict as extension members.' });
