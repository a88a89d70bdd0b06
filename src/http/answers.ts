import { z } from 'zod';
import type { Answer, Operation, ResponseDeclaration } from '../operations/operation.ts';
import { endStream } from './streams.ts';

/** What an operation declares for an answer. Throws, and ends the answer's stream, where it declares no such answer. */
export function declarationOf({ operationId, responses }: Operation, answer: Answer): ResponseDeclaration {
  const declared = responses[answer.status];
  const isDeclared =
    declared !== undefined &&
    (declared.stream === undefined) === (answer.stream === undefined) &&
    (declared.body === undefined) === (answer.body === undefined);
  if (isDeclared) return declared;
  endStream(answer);
  throw new Error(`${operationId} declares no such answer of status ${answer.status}`);
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
