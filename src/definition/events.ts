import type { z } from 'zod';

/**
 * What a mapping may know of an event beside its data (CloudEvents 1.0.2). Whoever sent the event chose all of it: none of
 * it says who asks, for which tenant, or with which permission.
 */
export interface EventFacts {
  /** Unique within its source. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string | undefined;
  /** RFC 3339. */
  readonly time?: string | undefined;
}

interface EventType {
  /** What producers name it, such as `portico.user.created`. One type belongs to one process of the catalog. */
  readonly type: string;
  readonly summary: string;
  /** Judges the data before it is mapped. Members that it does not know are for other readers: it should ignore them. */
  readonly data: z.ZodType;
}

/** An event that starts an instance. */
export interface StartEvent<Input = unknown> extends EventType {
  /** Gives the body of the start, as a caller would send it. Throws a Problem, or anything, for data that fits no start. */
  readonly starts: (data: never, event: EventFacts) => Input;
}

/** An event that is an action on an instance. */
export interface ActionEvent<Action extends string = string, Body = unknown> extends EventType {
  readonly action: Action;
  /** Gives the id of the instance. */
  readonly id: (data: never, event: EventFacts) => string;
  /** Gives the body of the action. */
  readonly body: (data: never, event: EventFacts) => Body;
}

export type EventDeclaration = StartEvent | ActionEvent;

/** Declares an event that starts an instance. `defineProcess` compares what it gives with the input of the process. */
export const startOn = <Data extends z.ZodType, Input>(
  event: EventType & {
    readonly data: Data;
    readonly starts: (data: z.output<Data>, event: EventFacts) => Input;
  },
): StartEvent<Input> => Object.freeze(event);

/** Declares an event that is an action. `defineProcess` compares what it gives with the input of that action. */
export const actionOn = <Data extends z.ZodType, const Action extends string, Body>(
  event: EventType & {
    readonly data: Data;
    readonly action: Action;
    readonly id: (data: z.output<Data>, event: EventFacts) => string;
    readonly body: (data: z.output<Data>, event: EventFacts) => Body;
  },
): ActionEvent<Action, Body> => Object.freeze(event);
