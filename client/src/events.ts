import { answerOf } from './answers.ts';
import { operations } from './operations.ts';
import type { Requests } from './requests.ts';
import type { components } from './schema.ts';
import type { Answered, BatchAnswer, CallOptions } from './types.ts';

/** An event of CloudEvents 1.0, in its JSON format. */
export type CloudEvent = components['schemas']['CloudEvent'];

type EventAnswer = Exclude<Answered<'sendEvents'>, readonly unknown[]>;

export interface Events {
  /** Sends one event. Resolves to what the start or the action answers that it means. */
  send(event: CloudEvent, options?: CallOptions): Promise<EventAnswer>;
  /** Sends many. Every event has its answer, in the order given; nothing is thrown for a refused one. */
  sendBatch(events: readonly CloudEvent[], options?: CallOptions): Promise<readonly BatchAnswer[]>;
}

/** An event that is sent twice is one event: its source and its id are its key. */
export function createEvents(requests: Requests): Events {
  const { method, path } = operations.sendEvents;
  const send = (body: unknown, kind: string, { signal }: CallOptions = {}) =>
    requests.send({
      method,
      path,
      body,
      signal,
      contentType: `application/cloudevents${kind}+json`,
      isRepeatable: true,
    });
  return {
    send: async (event, options) => answerOf(await send(event, '', options)) as EventAnswer,
    sendBatch: async (events, options) => (await send(events, '-batch', options)).body as BatchAnswer[],
  };
}
