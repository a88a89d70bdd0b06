import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { encodeUnifiedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import { encodeToPayload, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dataConverter, decode, encode } from '../../src/orchestration/codec.ts';
import { startAttributes } from '../../src/orchestration/search-attributes.ts';

const sdks = loadDataConverter(dataConverter);

const bytesOf = ({ metadata, data }: Awaited<ReturnType<typeof encode>>) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]),
  ),
  data: Buffer.from(data ?? []).toString('hex'),
});

describe('a payload', () => {
  it('is byte for byte that of the SDK, and is read back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.string({ unit: 'grapheme' })), async (value) => {
        const payload = await encode(value);
        expect(bytesOf(payload)).toEqual(bytesOf(await encodeToPayload(sdks, value)));
        expect(await decode(payload)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['bytes', new Uint8Array([0, 255])],
    ['a date', new Date(0)],
    ['undefined members', { a: undefined, b: 1 }],
    ['an object that says its own JSON', { toJSON: () => 'text' }],
    ['a function', () => undefined],
    ['an object without JSON', { toJSON: () => undefined }],
    ['half a surrogate pair', 'a\ud800'],
  ])('of %s is that of the SDK', async (_what, value) => {
    expect(bytesOf(await encode(value))).toEqual(bytesOf(await encodeToPayload(sdks, value)));
  });

  it('of a big integer does not exist', async () => {
    await expect(encode({ minor: 1n })).rejects.toThrow('Unable to convert');
  });
});

describe('the attributes of a start', () => {
  const key = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
  const labels = defineSearchAttributeKey('PorticoLabels', SearchAttributeType.KEYWORD_LIST);

  it.each([{ given: ['from:ä"1', 'to:b'] }, { given: [] }])('are those of the SDK: $given', ({ given }) => {
    const ours = startAttributes({ tenant: 'acme', process: 'transfers', step: 'withdrawing', labels: given });
    const theirs = encodeUnifiedSearchAttributes(
      undefined,
      new TypedSearchAttributes([
        { key: key('PorticoTenant'), value: 'acme' },
        { key: key('PorticoProcess'), value: 'transfers' },
        { key: key('PorticoStep'), value: 'withdrawing' },
        ...(given.length === 0 ? [] : [{ key: labels, value: given }]),
      ]),
    );
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
    for (const [name, payload] of Object.entries(theirs)) expect(bytesOf(ours[name] ?? {})).toEqual(bytesOf(payload));
  });
});
