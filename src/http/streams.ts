import { finished, PassThrough, Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Answer, StreamAnswer } from '../operations/operation.ts';
import { factsOf } from './request-facts.ts';

type Stream = StreamAnswer['stream'];

interface Sending {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly stream: Stream;
  readonly mediaType: string;
  /** Its signal aborts when the caller goes. From now on it aborts when the app closes, too. */
  readonly control: AbortController;
}

/** Gives the function that sends a stream as it comes. Every stream ends when the app closes. */
export function createStreams(app: FastifyInstance): (sending: Sending) => FastifyReply {
  const open = new Set<AbortController>();
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const control of open) control.abort();
    done();
  });

  return ({ request, reply, stream, mediaType, control }) => {
    reply.header('Content-Type', mediaType);
    if (request.method === 'HEAD' || control.signal.aborted) {
      endStream({ stream });
      return reply.send(Readable.from([]));
    }
    const facts = factsOf(request.raw);
    facts.isStream = true;
    const output = endable(stream, control.signal);
    // Fastify would send the head together with the first chunk, which may be long in coming.
    output.once('resume', () => reply.raw.flushHeaders());
    output.once('error', (err) => {
      facts.problem = 'internal';
      request.log.error({ err, problem: facts.problem }, 'a stream broke');
    });
    open.add(control);
    reply.raw.once('close', () => open.delete(control));
    if (isClosing) control.abort();
    return reply.send(output);
  };
}

/** Ends the stream of an answer that nobody will read, if it has one. */
export function endStream({ stream }: Pick<Answer, 'stream'>): void {
  if (stream instanceof Readable) stream.destroy();
  else
    stream?.[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
}

/** The chunks of a stream until `signal` aborts. Then the output ends as if the stream had no more to give. */
function endable(stream: Stream, signal: AbortSignal): Readable {
  const source = stream instanceof Readable ? stream : Readable.from(stream);
  const output = new PassThrough();
  finished(source, (error) => {
    if (error && !output.writableEnded) output.destroy(error);
  });
  const end = () => {
    source.unpipe(output);
    output.end();
    source.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  return source.pipe(output);
}
