import { z } from 'zod';
import { currencyCodes } from './currencies.ts';

/** The characters of a key, an account id and every other name in a URL or a list filter. */
const nameText = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$/, {
  message: 'must be 1 to 128 of the characters A-Z a-z 0-9 . _ : - and neither . nor ..',
});

/** The business key of an instance. */
export const businessKey = nameText;

/** The id of an account. Portico's own accounts begin with `~`, which no caller can write. */
export const accountId = nameText;

/** The id of an endpoint for webhooks. */
export const endpointId = nameText;

/** The subject of a person, as tokens spell it. */
export const personId = z.string().min(1).max(255);

/** Who did something: the issuer and the subject of their token. */
export const actor = z.object({ iss: z.string(), sub: z.string() });

/** A currency in use, as callers name it. */
export const currency = z
  .enum(currencyCodes, { error: 'must be the ISO 4217 code of a currency in use, such as EUR' })
  .meta({ id: 'Currency' });

/** A currency of what is booked, which may be out of use since. */
export const bookedCurrency = z.string().regex(/^[A-Z]{3}$/, { message: 'must be a currency code such as EUR' });

// Fifteen digits leave room: a PostgreSQL bigint holds the sum of nine thousand such entries.
const minorDigits = '(0|[1-9][0-9]{0,14})';

/** A positive amount in minor units (cents), as a string: JSON numbers lose integers above 2^53. */
export const positiveMinor = z.string().regex(new RegExp(`^(?!0$)${minorDigits}$`), {
  message: 'must be a positive whole number of minor units in a string, at most 15 digits',
});

/** An amount in minor units that may be zero. */
export const minor = z.string().regex(new RegExp(`^${minorDigits}$`), {
  message: 'must be a whole number of minor units in a string, at most 15 digits',
});

export const amount = z.strictObject({ currency, minor: positiveMinor }).meta({ id: 'Amount' });

/** An amount that is booked, or that a transfer was about. */
export const bookedAmount = z.object({ currency: bookedCurrency, minor: positiveMinor }).meta({ id: 'BookedAmount' });

/** A calendar date without time: `2001-05-31`. */
export const calendarDate = z.iso.date();
