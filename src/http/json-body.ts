import type { FastifyInstance, FastifyRequest } from 'fastify';
import { shapeOfJson } from '../json-text.ts';
import { Problem } from '../problems.ts';

const maxDepth = 32;
const maxKeys = 1_000;

/**
 * JSON is the only body the app reads, as UTF-8 without content coding. Before anything else sees a body, it is held to
 * what RFC 7493 asks of JSON that machines exchange and to limits of depth and width, so that nothing behind can be
 * led to read it differently or to run out of stack.
 */
export function acceptOnlyJson(app: FastifyInstance): void {
  // Refuses what would reach an object's prototype.
  const readJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const text = textOf(body);
    if (text === undefined) {
      done(malformed('The body is not UTF-8.'));
      return;
    }
    void readJson(request, text, (error, value: unknown) => {
      const problem = error ? malformed('The body is not JSON.') : problemWith(text);
      if (problem === undefined) done(null, value);
      else done(problem);
    });
  });
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    done(hasContentCoding(request) ? refusedCoding() : null);
  });
}

const hasContentCoding = ({ headers }: FastifyRequest): boolean =>
  headers['content-encoding'] !== undefined && headers['content-encoding'].trim().toLowerCase() !== 'identity';

const refusedCoding = (): Problem =>
  new Problem('unsupported-media-type', { headers: { 'Accept-Encoding': 'identity' } });

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(body: Buffer): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

function problemWith(json: string): Problem | undefined {
  const { depth, keys, hasRepeatedKey, hasUnusableText } = shapeOfJson(json);
  if (depth > maxDepth) return malformed(`The body is nested deeper than ${maxDepth} levels.`);
  if (keys > maxKeys) return malformed(`The body has more than ${maxKeys} members.`);
  if (hasRepeatedKey) return malformed('An object in the body has two members of the same name.');
  if (hasUnusableText) return malformed('A string in the body has a character that cannot be stored.');
  return undefined;
}

const malformed = (detail: string): Problem => new Problem('malformed-request', { detail });
