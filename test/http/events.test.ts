import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ProcessDefinition } from '../../src/definition/definition.ts';
import { startOn } from '../../src/definition/events.ts';
import { attributesIn } from '../../src/http/event-headers.ts';
import { eventsOperationOf } from '../../src/operations/events.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { batchOfTwo, someEvent, vectors } from '../fixtures/cloud-events.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { startApp } from '../harness/app.ts';
import { probe } from '../harness/thing-operations.ts';

const anything = startOn({
  type: someEvent,
  summary: 'Anything',
  data: z.unknown(),
  starts: (data, facts) => ({ facts, ...(data === undefined ? {} : { data }) }),
});

const definition: ProcessDefinition = { ...probesV1, events: [anything] };

/** Answers the body that it was started with. */
const { query: _query, ...echo }: Operation = probe({
  operationId: 'startProbe',
  method: 'POST',
  path: '/v1/probes',
  permission: 'things:start',
  cost: 'start',
  process: 'things',
  body: z.looseObject({}),
  handle: ({ body }) => Promise.resolve({ status: 200, body }),
});

const api = await startApp({ operations: [echo, eventsOperationOf([definition], [echo])] });
afterAll(api.stop);

const send = (headers: Readonly<Record<string, string>>, body?: string) =>
  api.send('/v1/events', { method: 'POST', headers, ...(body === undefined ? {} : { body: Buffer.from(body) }) });

describe('an event', () => {
  it.each(vectors)('$name ($section)', async ({ headers, body, gives }) => {
    const reply = await send(headers, body);
    if ('facts' in gives) {
      const { facts, data } = gives;
      expect(reply).toMatchObject({ status: 200, body: data === undefined ? { facts } : { facts, data } });
      expect(reply.body).toEqual(data === undefined ? { facts } : { facts, data });
    } else {
      expect(reply).toMatchObject({ status: gives.status, body: gives.says });
      expect(reply.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  it('with an attribute twice is refused in binary mode', () => {
    const fields = ['ce-specversion', '1.0', 'ce-id', '1', 'CE-ID', '2'];
    expect(() => attributesIn(fields)).toThrow(
      expect.objectContaining({
        options: expect.objectContaining({ errors: [expect.objectContaining({ parameter: 'ce-id' })] }),
      }),
    );
  });

  it('maps alike in both modes', async () => {
    const attribute = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => !unusable.test(text));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ id: attribute, source: fc.webUrl(), subject: attribute, myextension: attribute }),
        fc.json({ maxDepth: 3 }).filter((json) => !json.includes('\\u') && !json.includes('__proto__')),
        async (attributes, data) => {
          const event = { specversion: '1.0', type: someEvent, ...attributes };
          const headers = Object.entries(event).map(([name, value]) => [`ce-${name}`, percentEncoded(value)]);
          const inBinary = await send({ ...Object.fromEntries(headers), 'Content-Type': 'application/json' }, data);
          const structured = JSON.stringify({ ...event, data: JSON.parse(data) as unknown });
          const inJson = await send({ 'Content-Type': 'application/cloudevents+json' }, structured);
          expect([inBinary.status, inBinary.text]).toEqual([200, inJson.text]);
        },
      ),
      { numRuns: 150 },
    );
  });
});

const unusable = /[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

const percentEncoded = (text: string): string =>
  text.replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

describe('a batch', () => {
  const batch = { 'Content-Type': 'application/cloudevents-batch+json; charset=UTF-8' };

  it('answers each event (json 4.3)', async () => {
    const { status, body } = await send(batch, JSON.stringify(batchOfTwo));
    expect(status).toBe(200);
    expect(body).toMatchObject([
      { status: 415, body: { code: 'unsupported-media-type' } },
      { status: 200, body: { facts: { source: '/mycontext/9' } } },
    ]);
  });

  it('may be empty (json 4.3)', async () => {
    expect(await send(batch, '[]')).toMatchObject({ status: 200, text: '[]' });
  });

  it.each([
    ['an event alone', JSON.stringify(batchOfTwo[1])],
    ['no JSON', '[{]'],
    ['101 events', JSON.stringify(Array.from({ length: 101 }, () => batchOfTwo[1]))],
  ])('of %s is refused', async (_what, body) => {
    expect((await send(batch, body)).status).toBe(400);
  });
});
