import type { FastifyInstance, FastifyRequest } from 'fastify';
import { faultOfJson } from '../json-text.ts';
import type { ItemsDeclaration } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { elementsOf, linesOf } from './item-texts.ts';
import type { ReadItem } from './items.ts';
import { bodyLimits, detailOf, malformed, textOf } from './json-body.ts';
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
  const readItem = createReader(scope, declaration);
  const accept = (mediaType: string, read: (request: FastifyRequest, body: Buffer) => ReadItem[]) => {
    scope.addContentTypeParser(mediaType, { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      try {
        done(null, read(request, body));
      } catch (error) {
        done(error as Error);
      }
    });
  };
  scope.removeContentTypeParser('application/json');
  accept('application/json', (request, body) => {
    const text = textOf(body);
    if (text === undefined) throw malformed('The body is not UTF-8.');
    const elements = elementsOf(text, max);
    if (elements === undefined) throw malformed('The body is no JSON array.');
    return refuseMoreThan(max, elements).map((element) => {
      const item = readItem(request, element, Buffer.byteLength(element));
      if (item === 'no-json') throw malformed('The body is not JSON.');
      return item;
    });
  });
  accept(linesType, (request, body) =>
    refuseMoreThan(max, linesOf(body, max)).map((line) => {
      const text = textOf(line);
      if (text === undefined) return { fault: malformed('The line is not UTF-8.') };
      const item = readItem(request, text, line.length);
      return item === 'no-json' ? { fault: malformed('The line is not JSON.') } : item;
    }),
  );
}

function refuseMoreThan<Element>(max: number, elements: Element[]): Element[] {
  if (elements.length <= max) return elements;
  throw new Problem('invalid-request', { detail: `There are more than ${max} items.` });
}

function createReader(scope: FastifyInstance, { schema, requestOf }: ItemsDeclaration) {
  // Refuses what would reach an object's prototype.
  const parse = scope.getDefaultJsonParser('error', 'error');
  return (request: FastifyRequest, text: string, bytes: number): ReadItem | 'no-json' => {
    const fault = faultOfJson(text, itemLimits);
    if (fault !== undefined) return { fault: malformed(detailOf[fault]) };
    let read: ReadItem | 'no-json' = 'no-json';
    void parse(request, text, (error, value: unknown) => {
      if (error === null) read = readValue(value, bytes);
      else if (isJson(text)) read = { fault: malformed('An object in the body has a member of a forbidden name.') };
    });
    return read;
  };

  function readValue(value: unknown, bytes: number): ReadItem {
    try {
      return { asked: requestOf(parsePart('body', schema, value) as never), bytes };
    } catch (error) {
      if (error instanceof Problem) return { fault: error };
      throw error;
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
