import type { Problem } from '../problems.ts';

/** What one item is answered: the same as the request that it stands for. */
export interface ItemAnswer {
  readonly status: number;
  /** By the names that operations and problems give them. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as JSON, by the schema of the operation, or a problem; empty where the answer has none. */
  readonly text: string;
  /** After how long asking again is worth while, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether this is a problem, and the same item again can end better. */
  readonly isRetryable: boolean;
}

/** One of several requests that came as one. */
export interface Item {
  /** Process and id of the instance that it is about; undefined where that cannot be read. */
  readonly instance: string | undefined;
  /**
   * Asks the operation of the item, as if it had come alone: with its permission, its rate limit, its turn and its time.
   * Never rejects: each failure is an answer.
   */
  run(): Promise<ItemAnswer>;
  /** The answer of an item that is not tried. */
  refuse(problem: Problem): ItemAnswer;
}
