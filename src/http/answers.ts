import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Answer, Operation, ResponseDeclaration } from '../operations/operation.ts';
import { endStream } from './streams.ts';

/** What an operation declares for an answer. Throws, and ends the answer's stream, where it declares no such answer. */
export function declarationOf({ operationId, responses }: Operation, answer: Answer): ResponseDeclaration {
  const declared = responses[answer.status];
  const isDeclared =
    declared !== undefined &&
    answer.items === undefined &&
    (declared.stream === undefined) === (answer.stream === undefined) &&
    (declared.body === undefined) === (answer.body === undefined);
  if (isDeclared) return declared;
  endStream(answer);
  throw new Error(`${operationId} declares no such answer of status ${answer.status}`);
}

/** Media type of every answer but problems and streams. */
export const jsonType = 'application/json; charset=utf-8';

/**
 * Gives the text of an operation's answers by the schemas of their bodies: what these do not name is left out. A schema is
 * compiled when the first answer needs it: to compile all of them took a quarter of the time until a process serves.
 */
export function createSerializer({ responses }: Operation) {
  const compiled = new Map<number, ReturnType<FastifyReply['compileSerializationSchema']>>();
  return (reply: FastifyReply, { status, body }: Answer): string => {
    let serialize = compiled.get(status);
    if (serialize === undefined) {
      const schema = responses[status]?.body;
      if (schema === undefined) throw new Error(`no body is declared for an answer of status ${status}`);
      serialize = reply.compileSerializationSchema(schemaOf(schema));
      compiled.set(status, serialize);
    }
    return serialize(body as Record<string, unknown>);
  };
}

/**
 * The schema of a body, as Fastify's serializer takes it. That picks members of a union by Ajv, where
 * `additionalProperties: false` would turn an extra key into a 500; without it extra keys are still left out.
 */
const schemaOf = (body: z.ZodType) =>
  z.toJSONSchema(body, {
    io: 'output',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
