import { z } from 'zod';
import type { RequestFeature } from './carried.ts';
import type { ResponseHeader } from './operation.ts';

/** What a request may carry. The schemas are those for operations that do not require it. */
export const requestHeaders: Readonly<Record<RequestFeature, { name: string; schema: z.ZodOptional }>> = {
  'prefer-wait': {
    name: 'Prefer',
    schema: z.string().optional().describe('`wait=10` holds the answer for up to that many seconds (RFC 7240).'),
  },
  'idempotency-key': {
    name: 'Idempotency-Key',
    schema: z
      .string()
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/)
      .describe(
        '1 to 255 visible ASCII characters: equal requests with one key are applied once. Where the body has the key of ' +
          'what is started, the same value or none.',
      )
      .optional(),
  },
  'if-match': {
    name: 'If-Match',
    schema: z
      .string()
      .optional()
      .describe('Entity tags, or `*`: nothing is done unless one of them is the present tag.'),
  },
  'if-none-match': {
    name: 'If-None-Match',
    schema: z.string().optional().describe('Entity tags, or `*`: nothing is done if one of them is the present tag.'),
  },
  'last-event-id': {
    name: 'Last-Event-ID',
    schema: z.string().optional().describe('The id of the last event that was seen: the stream goes on after it.'),
  },
};

/** What an answer may carry. */
export const responseHeaders: Readonly<Record<ResponseHeader, z.ZodType>> = {
  Location: z
    .string()
    .describe('The resource.')
    .meta({ header: { id: 'Location' } }),
  'Retry-After': z
    .string()
    .describe('Seconds after which asking again is worth while.')
    .meta({ header: { id: 'RetryAfter' } }),
  'Idempotency-Status': z
    .enum(['created', 'joined', 'replayed'])
    .meta({ 'x-closed': true })
    .describe('Whether this request created the instance, joined it while it runs, or found it closed.')
    .meta({ header: { id: 'IdempotencyStatus' } }),
  'Preference-Applied': z
    .string()
    .optional()
    .describe('The wait that was granted (RFC 7240).')
    .meta({ header: { id: 'PreferenceApplied' } }),
  ETag: z
    .string()
    .describe('The tag of this representation (RFC 9110, 8.8.3).')
    .meta({ header: { id: 'ETag' } }),
};

/** What a problem may carry. */
export const problemHeaders = {
  'WWW-Authenticate': z
    .string()
    .describe('The challenge (RFC 6750).')
    .meta({ header: { id: 'Challenge' } }),
  'Retry-After': responseHeaders['Retry-After'],
  Location: z
    .string()
    .optional()
    .describe('Where to look for what may have been started.')
    .meta({ header: { id: 'PerhapsLocation' } }),
};
