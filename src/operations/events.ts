import { z } from 'zod';
import type { ProcessDefinition } from '../definition/definition.ts';
import { answerInOrder, batchTimes, itemAnswer, maxBatchBytes, maxItems } from './batch.ts';
import { type CloudEvent, cloudEvent, cloudEventHeaders, cloudEventOf } from './cloud-events.ts';
import { type KnownEvent, knownEventsOf, requestOf } from './event-requests.ts';
import { defineOperation, type Operation, perItem } from './operation.ts';

/** Events of CloudEvents 1.0.2 as starts and actions. Alone, an event is answered as the operation that it stands for. */
export function eventsOperationOf(
  definitions: readonly ProcessDefinition[],
  operations: readonly Operation[],
  times = batchTimes,
): Operation {
  const all = knownEventsOf(definitions, operations);
  const known = new Map(all.map((each) => [each.event.type, each]));
  const shown = shownEventOf(all);
  return defineOperation({
    operationId: 'sendEvents',
    method: 'POST',
    path: '/v1/events',
    summary: 'Start and change instances by what has happened elsewhere, told as CloudEvents',
    tag: 'events',
    permission: perItem,
    cost: 'action',
    dependsOn: ['orchestration'],
    body: shown,
    maxBodyBytes: maxBatchBytes,
    items: {
      max: maxItems,
      schema: cloudEvent,
      requestOf: (event: CloudEvent, sent) => requestOf(known, event, sent),
      events: {
        content: {
          'application/cloudevents+json': shown,
          'application/cloudevents-batch+json': z.array(shown).max(maxItems),
          'application/json': z
            .unknown()
            .describe('Binary mode: the data. The attributes are headers, `ce-id` and so on.'),
        },
        headers: cloudEventHeaders,
      },
    },
    responses: {
      200: {
        description:
          'An answer for each event of a batch. Of an event alone, that the instance has ended: after a start with ' +
          '`Location` and `Idempotency-Status`.',
        body: z.union([z.array(itemAnswer), ...bodiesOf(all, 200)]),
      },
      202: {
        description: 'Of an event alone: the instance runs. After a start with `Location` and `Idempotency-Status`.',
        body: z.union(bodiesOf(all, 202)),
        headers: ['Retry-After'],
      },
    },
    problems: ['unknown-event-type', ...new Set(all.flatMap(({ operation }) => operation.problems)), 'outcome-unknown'],
    handle: ({ items = [], signal }) =>
      Promise.resolve({ status: 200, items: answerInOrder(items, { signal, ...times }) }),
  });
}

/** What all operations that events stand for answer with this status, each once. */
const bodiesOf = (all: readonly KnownEvent[], status: number): z.ZodType[] => [
  ...new Set(all.flatMap(({ operation }) => operation.responses[status]?.body ?? [])),
];

/** For the document alone. An event of another type is refused when it comes. */
const shownEventOf = (all: readonly KnownEvent[]): z.ZodType =>
  z
    .union(
      all.map(({ event: { type, data, summary } }) =>
        cloudEventOf(type, data, summary).meta({ id: `${stemOf(type)}Event`, description: summary }),
      ),
    )
    .meta({ id: 'CloudEvent', description: 'What has happened, in the JSON format of CloudEvents 1.0.2.' });

/** `PorticoUserCreated` of `portico.user.created`. */
const stemOf = (type: string): string =>
  type
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
