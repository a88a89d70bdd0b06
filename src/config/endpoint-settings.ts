import { z } from 'zod';
import { duration, keyRing, wholeNumber } from './kinds.ts';

/** What an operator sets for the endpoints that tenants register for webhooks. */
export const endpointSettings = z.object({
  keys: keyRing
    .optional()
    .describe(
      'The keys under which secrets of endpoints are stored, as name=base64 of 32 bytes, separated by commas or line breaks. The first encrypts, all decrypt. Not set: no endpoint can be created. `npm start` provides one beside its own database.',
    ),
  limit: wholeNumber(0, 100_000).prefault('100').describe('Endpoints a tenant may have.'),
  rotationTime: duration('0s', '90d')
    .prefault('24h')
    .describe('How long the earlier secrets of an endpoint sign beside the new one after a rotation.'),
});
