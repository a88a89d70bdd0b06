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
export const encode = (value: unknown): Promise<Payload> => encodeToPayload(loaded, value);

/** The inverse of {@link encode}; undefined for no payload. */
export async function decode(payload: Payload | null | undefined): Promise<unknown> {
  if (!payload) return undefined;
  const [value] = await decodeArrayFromPayloads(loaded, [payload]);
  return value;
}
