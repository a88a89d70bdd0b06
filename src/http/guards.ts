import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';

/** Throws a problem, at once or later, or lets the request pass. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void> | void;

/** The hook that lets a request pass the guards, one after the other. Only a guard that waits costs a turn of promises. */
export function passAll(guards: readonly Guard[]): onRequestHookHandler {
  return (request, reply, done) => {
    const passFrom = (first: number): void => {
      let at = first;
      let waiting: Promise<void> | void = undefined;
      try {
        while (at < guards.length && waiting === undefined) waiting = guards[at++]?.(request, reply);
      } catch (error) {
        done(error as Error);
        return;
      }
      if (waiting === undefined) done();
      else waiting.then(() => passFrom(at), done);
    };
    passFrom(0);
  };
}
