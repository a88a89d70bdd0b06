import { randomUUID } from 'node:crypto';
import { type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { ActionAnswer, ActionCall, Actor } from '../../src/definition/envelope.ts';
import { until } from './until.ts';

const { EventType } = proto.temporal.api.enums.v1;

export const starter: Actor = { iss: 'https://issuer.test', sub: 'alice' };
export const approver: Actor = { iss: 'https://issuer.test', sub: 'bob' };

/** What a test says to an instance and what it reads in its history. */
export function createMessages(handle: WorkflowHandle) {
  /** The output of an action. Throws where it is refused. */
  async function act(
    action: string,
    input: unknown,
    actor = approver,
    updateId: string = randomUUID(),
  ): Promise<unknown> {
    const answer = await handle.executeUpdate<ActionAnswer<unknown>, [ActionCall<unknown>]>(action, {
      updateId,
      args: [{ input, actor, fingerprint: `of ${updateId}` }],
    });
    if (answer.fingerprint !== `of ${updateId}`) throw new Error('the answer is that of another call');
    return answer.output;
  }

  async function eventTypes(): Promise<string[]> {
    const { events } = await handle.fetchHistory();
    return (events ?? []).map(({ eventType }) => EventType[eventType ?? 0] ?? String(eventType));
  }

  return {
    act,
    eventTypes,

    /** The steps the instance entered, in order. The first one is published by whoever starts it and not among them. */
    stepsOfHistory: async (): Promise<string[]> => {
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) => {
        const step = upsert?.searchAttributes?.indexedFields?.['PorticoStep'];
        return step ? [defaultPayloadConverter.fromPayload<string>(step)] : [];
      });
    },

    /** The output of an action, or the code of the problem it is refused with. */
    answerOf: async (action: string, input: unknown, actor = approver, updateId?: string): Promise<unknown> => {
      try {
        return await act(action, input, actor, updateId);
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
          return error.cause.type;
        }
        throw error;
      }
    },

    /** Waits until history holds that many events of a type. */
    hasHeard: async (eventType: string, { times = 1 }: { times?: number } = {}): Promise<void> => {
      await until(eventTypes, (types) => types.filter((type) => type === eventType).length >= times);
    },
  };
}
