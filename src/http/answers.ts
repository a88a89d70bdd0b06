import { finished, PassThrough, Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Answer, Operation, StreamAnswer } from '../operations/operation.ts';
import { factsOf } from './request-facts.ts';

interface Exchange<Kind extends Answer = Answer> {
  readonly operation: Operation;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly answer: Kind;
  /** Its signal ends a stream: it aborts when the caller goes. */
  readonly control: AbortController;
  /** Aborts when the app closes. */
  readonly closing: AbortSignal;
}

/** Sends what an operation answers. Throws where the operation has not declared such an answer. */
export function sendAnswer(exchange: Exchange): FastifyReply {
  const { operation, reply, answer } = exchange;
  const declared = operation.responses[answer.status];
  const isDeclared =
    declared !== undefined &&
    (declared.stream === undefined) === (answer.stream === undefined) &&
    (declared.body === undefined) === (answer.body === undefined);
  if (!isDeclared) {
    endStream(answer);
    throw new Error(`${operation.operationId} declares no such answer of status ${answer.status}`);
  }
  reply.code(answer.status).headers(answer.headers ?? {});
  if (answer.stream === undefined) return reply.send(answer.body);
  return sendStream({ ...exchange, answer }, declared.stream);
}

/** Ends the stream of an answer that nobody will read, if it has one. */
export function endStream({ stream }: Answer): void {
  if (stream instanceof Readable) stream.destroy();
  // A generator that waits for something ends as soon as its wait does.
  else
    stream?.[Symbol.asyncIterator]()
      .return?.()
      .catch(() => undefined);
}

function sendStream(
  { request, reply, answer, control, closing }: Exchange<StreamAnswer>,
  mediaType = '',
): FastifyReply {
  reply.header('Content-Type', mediaType);
  if (request.method === 'HEAD' || control.signal.aborted) {
    endStream(answer);
    return reply.send(Readable.from([]));
  }
  factsOf(request.raw).isStream = true;
  const output = endable(answer.stream, control.signal);
  // Fastify would send the head together with the first chunk, which may be long in coming.
  output.once('resume', () => reply.raw.flushHeaders());
  output.once('error', () => (factsOf(request.raw).problem = 'internal'));
  const close = () => control.abort();
  closing.addEventListener('abort', close, { once: true });
  reply.raw.once('close', () => closing.removeEventListener('abort', close));
  if (closing.aborted) close();
  return reply.send(output);
}

/** The chunks of a stream until `signal` aborts. Then the output ends as if the stream had no more to give. */
function endable(stream: StreamAnswer['stream'], signal: AbortSignal): Readable {
  const source = stream instanceof Readable ? stream : Readable.from(stream);
  const output = new PassThrough();
  finished(source, (error) => {
    if (error && !output.writableEnded) output.destroy(error);
  });
  signal.addEventListener(
    'abort',
    () => {
      source.unpipe(output);
      output.end();
      source.destroy();
    },
    { once: true },
  );
  return source.pipe(output);
}

/**
 * The schema of each body, as Fastify's serializer takes it. That picks members of a union by Ajv, where
 * `additionalProperties: false` would turn an extra key into a 500; without it extra keys are still left out.
 */
export const replySchemasOf = ({ responses }: Operation): Record<number, unknown> =>
  Object.fromEntries(
    Object.entries(responses).flatMap(([status, { body }]) => (body === undefined ? [] : [[status, schemaOf(body)]])),
  );

const schemaOf = (body: z.ZodType) =>
  z.toJSONSchema(body, {
    io: 'output',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
