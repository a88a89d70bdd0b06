import type { Attempt } from '../attempt.ts';

/** One message to one queue. */
export interface QueueMessage {
  /** Tenants take turns where too much is under way. */
  readonly tenant: string;
  readonly queue: string;
  /** The same at every attempt: consumers know a repetition by it. */
  readonly messageId: string;
  /** JSON. */
  readonly body: string;
  /** What the attempt may take in all, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Who hears how a broker does. */
export interface QueueObserver {
  /** `reason` is undefined while there is a connection, and a word that names neither user nor host while there is none. */
  onConnection(broker: string, reason: string | undefined): void;
}

/** A broker of messages. Another product is another function that makes one of these, listed in queues.ts. */
export interface QueueBroker {
  /** Begins to connect, and does so again whenever the connection is lost, until `close`. `publish` begins as well. */
  connect(): void;
  /**
   * Never rejects. `delivered` promises that the broker has written the message to a queue that is there. A broker that
   * did not say so in time may have it as well: it is at least once.
   */
  publish(message: QueueMessage): Promise<Attempt>;
  /** Throws why messages cannot be published at the moment. */
  check(): void;
  /** Takes no more messages, lets those under way end for some seconds, then closes the connection. Never rejects. */
  close(): Promise<void>;
}

/** An attempt that may be repeated. */
export const failed = (reason: string): Attempt => ({ kind: 'failed', reason });

/** An attempt that would end like this at each repetition. */
export const dead = (reason: string): Attempt => ({ kind: 'dead', reason });
