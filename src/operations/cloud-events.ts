import { z } from 'zod';

/** Control characters, half surrogate pairs, and code points that stand for no character: no attribute has them. */
const unusable = /[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

const text = z
  .string()
  .min(1, { error: 'must not be empty' })
  .refine((value) => !unusable.test(value), { error: 'has a character that no attribute may have' });

/** The characters of RFC 3986, with at most one fragment. What each part may hold is not looked at. */
const uriCharacters =
  /^(?:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?:#(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)?$/;

const uriReference = text
  .refine((value) => uriCharacters.test(value), { error: 'must be a URI reference (RFC 3986)' })
  .meta({ format: 'uri-reference' });

const uri = text
  .refine((value) => uriCharacters.test(value) && /^[A-Za-z][A-Za-z0-9+\-.]*:/.test(value), {
    error: 'must be an absolute URI (RFC 3986)',
  })
  .meta({ format: 'uri' });

const attributes = {
  specversion: z.literal('1.0', { error: 'must be 1.0, the version of CloudEvents that is understood here' }),
  id: text.describe('Unique within the source. The same source and id are the same event.'),
  source: uriReference.describe('Who says it.'),
  type: text.describe('What happened. The types that are understood follow from the processes.'),
  subject: text.optional().describe('What it happened to.'),
  time: z.iso.datetime({ offset: true, error: 'must be a time by RFC 3339' }).optional().describe('When it happened.'),
  datacontenttype: text
    .optional()
    .describe('The media type of the data: JSON, which is also meant where it is left out.'),
  dataschema: uri.optional().describe('Names the schema of the data. It is not looked at.'),
};

const known = new Set([...Object.keys(attributes), 'data', 'data_base64']);

/** An attribute that CloudEvents itself does not name. Formats carry them as a boolean, a 32-bit integer or a string. */
function isExtension(value: unknown): boolean {
  if (typeof value === 'string') return !unusable.test(value);
  return typeof value === 'boolean' || (typeof value === 'number' && (value | 0) === value);
}

/**
 * Parses an event of CloudEvents 1.0.2 in its JSON form. An attribute that is `null` is taken as left out; data of `null`
 * is data.
 */
export const cloudEvent = z.preprocess(
  withoutNulls,
  z
    .looseObject({ ...attributes, data: z.unknown().optional(), data_base64: z.unknown().optional() })
    .check(({ value, issues }) => {
      for (const [name, extension] of Object.entries(value)) {
        if (known.has(name)) continue;
        const message = !/^[a-z0-9]+$/.test(name)
          ? 'is no name of an attribute: they are of the characters a-z 0-9'
          : isExtension(extension)
            ? undefined
            : 'must be a text, a boolean or an integer of 32 bits';
        if (message !== undefined) issues.push({ code: 'custom', message, path: [name], input: value });
      }
    }),
);

export type CloudEvent = z.output<typeof cloudEvent>;

function withoutNulls(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  return Object.fromEntries(Object.entries(event).filter(([name, value]) => value !== null || name === 'data'));
}

/** For the document: an event of one type, with its data. */
export const cloudEventOf = (type: string, data: z.ZodType, summary: string) =>
  z.looseObject({ ...attributes, type: z.literal(type), data: withOthers(data) }).describe(summary);

/** Members that the schema does not know are ignored. */
const withOthers = (data: z.ZodType): z.ZodType =>
  data instanceof z.ZodObject ? data.loose().meta(data.meta() ?? {}) : data;

/** For the document: the attributes as binary mode carries them. Required there, as the other modes are told by their type. */
export const cloudEventHeaders = z.object(
  Object.fromEntries(
    Object.entries(attributes)
      .filter(([name]) => name !== 'datacontenttype')
      .map(([name, schema]) => [
        `ce-${name}`,
        schema.optional().describe(`In binary mode: \`${name}\`, percent-encoded.`),
      ]),
  ),
);

/** Whether a media type says JSON: `application/json`, or one that ends in `+json`. Parameters are not looked at. */
export const isJsonType = (mediaType: string): boolean => jsonTypes.test(mediaType);

/** Media types of JSON, with or without parameters, but for the formats of CloudEvents. */
export const jsonTypes = /^\s*(?!application\/cloudevents)[\w!#$&^.+-]+\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;.*)?$/i;
