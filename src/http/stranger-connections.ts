import type { Socket } from 'node:net';

/** What is known of a connection that somebody unknown may hold. */
interface Connection {
  /** Refused requests on end. */
  refusals: number;
  /** Whether so many connections are open that strangers are to keep none. */
  readonly isScarce: () => boolean;
}

/** A connection ends with the answer to its last refused request of so many on end. */
const maxRefusals = 16;

const known = Symbol('stranger');

type Known = Socket & { [known]?: Connection };

/** Lets a connection survive refusals, as long as `isScarce` does not say otherwise. Others end with their first. */
export function watchStranger(socket: Known, isScarce: () => boolean): void {
  socket[known] = { refusals: 0, isScarce };
}

/** To be called once a caller is known to use the connection. */
export function forgiveRefusals(socket: Known): void {
  if (socket[known] !== undefined) socket[known].refusals = 0;
}

/** Counts a refused request of a stranger. True where the connection stays open after the answer. */
export function survivesRefusal(socket: Known): boolean {
  const connection = socket[known];
  if (connection === undefined) return false;
  connection.refusals += 1;
  return connection.refusals < maxRefusals && !connection.isScarce();
}
