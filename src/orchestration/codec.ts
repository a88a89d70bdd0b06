import type { DataConverter, Payload } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  encodeToPayload,
  loadDataConverter,
} from '@temporalio/common/lib/internal-non-workflow/index.js';

/** The one converter of every client and worker. Encryption enters here, as payload codecs. */
export const dataConverter: DataConverter = {};

const loaded = loadDataConverter(dataConverter);

/** Every payload that Portico itself sends to Temporal goes through here. */
export const encode = async (value: unknown): Promise<Payload> =>
  (isSdksOwn ? jsonPayloadOf(value) : undefined) ?? (await encodeToPayload(loaded, value));

/** The same of several values, by name. Those that need no encoder of the SDK wait for nothing. */
export async function encodeAll<Name extends string>(
  values: Readonly<Record<Name, unknown>>,
): Promise<Record<Name, Payload>> {
  const payloads: Partial<Record<Name, Payload>> = {};
  for (const name of Object.keys(values) as Name[])
    payloads[name] = (isSdksOwn ? jsonPayloadOf(values[name]) : undefined) ?? (await encode(values[name]));
  return payloads as Record<Name, Payload>;
}

/** Codecs and converters of our own are left to the SDK. */
const isSdksOwn = Object.keys(dataConverter).length === 0;

const jsonMetadata = { encoding: Buffer.from('json/plain') };

/**
 * The payload that the SDK makes of texts and plain objects, without its encoder, which is written for the sandbox of
 * workflows and slow. Undefined for everything else, also for what is no JSON.
 */
function jsonPayloadOf(value: unknown): Payload | undefined {
  const isObject = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  if (typeof value !== 'string' && !isObject) return undefined;
  try {
    return { metadata: jsonMetadata, data: Buffer.from(JSON.stringify(value)) };
  } catch {
    return undefined;
  }
}

/** Gives the encoder of search attributes of one type, named as payloads name it. They never pass codecs. */
export function createAttributeEncoder(typeName: string): (value: string | readonly string[]) => Payload {
  const metadata = { ...jsonMetadata, type: Buffer.from(typeName) };
  return (value) => ({ metadata, data: Buffer.from(JSON.stringify(value)) });
}

/** The inverse of {@link encode}; undefined for no payload. */
export async function decode(payload: Payload | null | undefined): Promise<unknown> {
  if (!payload) return undefined;
  const [value] = await decodeArrayFromPayloads(loaded, [payload]);
  return value;
}
