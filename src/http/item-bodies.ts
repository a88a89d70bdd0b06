import type { FastifyInstance, FastifyRequest } from 'fastify';
import { faultOfJson, type JsonLimits } from '../json-text.ts';
import type { ItemsDeclaration } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { elementsOf, linesOf } from './item-texts.ts';
import type { ReadItem } from './items.ts';
import { bodyLimits, detailOf, malformed, textOf } from './json-body.ts';
import { factsOf } from './request-facts.ts';
import { parsePart } from './validation.ts';

/** The media type of items that come, and are answered, one a line. */
export const linesType = 'application/x-ndjson';

/** What stands around the body of an item is allowed on top. */
const itemLimits = {
  depth: bodyLimits.depth + 1,
  members: bodyLimits.members + 4,
  values: bodyLimits.values + 8,
};

/**
 * Reads bodies of items for the routes of `scope`: an array of them, or one a line. Gives an array of {@link ReadItem}. An
 * item has the limits of a body, and its fault is its own. An array that is no JSON is a fault of the whole.
 */
export function acceptItems(scope: FastifyInstance, declaration: ItemsDeclaration): void {
  const { max } = declaration;
  const reader = createReader(scope, declaration, itemLimits);
  scope.removeContentTypeParser('application/json');
  acceptBytes(scope, 'application/json', (request, body) => readArray(reader, request, body, max));
  acceptBytes(scope, linesType, (request, body) =>
    refuseMoreThan(max, linesOf(body, max)).map((line) => {
      const text = textOf(line);
      if (text === undefined) return { fault: malformed('The line is not UTF-8.') };
      const item = reader.readText(request, text, line.length);
      return item === 'no-json' ? { fault: malformed('The line is not JSON.') } : item;
    }),
  );
}

/** Reads bodies of these media types. What `read` throws is the answer. */
export function acceptBytes(
  scope: FastifyInstance,
  mediaTypes: string | RegExp,
  read: (request: FastifyRequest, body: Buffer) => ReadItem | ReadItem[],
): void {
  scope.addContentTypeParser(mediaTypes, { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    try {
      done(null, read(request, body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The items of an array. Throws where the body is none, or has more than `max`. */
export function readArray(reader: ItemReader, request: FastifyRequest, body: Buffer, max: number): ReadItem[] {
  const text = textOf(body);
  if (text === undefined) throw malformed('The body is not UTF-8.');
  const elements = elementsOf(text, max);
  if (elements === undefined) throw malformed('The body is no JSON array.');
  return refuseMoreThan(max, elements).map((element) => {
    const item = reader.readText(request, element, Buffer.byteLength(element));
    if (item === 'no-json') throw malformed('The body is not JSON.');
    return item;
  });
}

function refuseMoreThan<Element>(max: number, elements: Element[]): Element[] {
  if (elements.length <= max) return elements;
  throw new Problem('invalid-request', { detail: `There are more than ${max} items.` });
}

type Tell = (problem: Problem) => Problem;

/** What of an item is not in its text: the rest of its value, and how its problems are told. */
interface Around {
  readonly whole: (value: unknown) => unknown;
  readonly tell: Tell;
}

export type ItemReader = ReturnType<typeof createReader>;

/** Reads one item after the other. Its fault is a part of what is read. */
export function createReader(scope: FastifyInstance, { schema, requestOf }: ItemsDeclaration, limits: JsonLimits) {
  // Refuses what would reach an object's prototype.
  const parse = scope.getDefaultJsonParser('error', 'error');
  return { readText, readValue };

  function readText(
    request: FastifyRequest,
    text: string,
    bytes: number,
    { whole, tell }: Around = asItCame,
  ): ReadItem | 'no-json' {
    const fault = faultOfJson(text, limits);
    if (fault !== undefined) return { fault: malformed(detailOf[fault]) };
    let read: ReadItem | 'no-json' = 'no-json';
    void parse(request, text, (error, value: unknown) => {
      if (error === null) read = readValue(request, whole(value), bytes, tell);
      else if (isJson(text)) read = { fault: malformed('An object in the body has a member of a forbidden name.') };
    });
    return read;
  }

  function readValue(request: FastifyRequest, value: unknown, bytes: number, tell: Tell): ReadItem {
    try {
      const { principal } = factsOf(request.raw);
      const asked = requestOf(parsePart('body', schema, value) as never, { principal, bytes });
      if (tell === asItIs) return { asked, bytes };
      return { asked: { ...asked, explain: (problem) => tell(asked.explain?.(problem) ?? problem) }, bytes };
    } catch (error) {
      if (error instanceof Problem) return { fault: tell(error) };
      throw error;
    }
  }
}

const asItIs = <Value>(value: Value): Value => value;

const asItCame: Around = { whole: asItIs, tell: asItIs };

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
