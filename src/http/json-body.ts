import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { faultOfJson, type JsonFault } from '../json-text.ts';
import { Problem } from '../problems.ts';
import { routeOf } from './request-facts.ts';
import { awaitsContinue } from './request-target.ts';

/** How deep and wide a body may be. */
export const bodyLimits = { depth: 32, members: 1_000, values: 2_000 };

/**
 * Reads bodies: JSON alone, as UTF-8 without content coding. A body must fit RFC 7493 and the limits of depth and width
 * before other code sees it. Code behind can then neither read it differently nor run out of stack. Each route says how
 * long a body may be.
 */
export function acceptOnlyJson(app: FastifyInstance): void {
  // Refuses what would reach an object's prototype.
  const readJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const text = textOf(body);
    const fault = text === undefined ? undefined : faultOfJson(text, bodyLimits);
    if (text === undefined) done(malformed('The body is not UTF-8.'));
    // Many clients send the header with every request. An empty body is then the same as none.
    else if (text === '') done(null, undefined);
    else if (fault !== undefined) done(malformed(detailOf[fault]));
    else {
      void readJson(request, text, (error, value: unknown) => {
        if (error) done(malformed('The body is not JSON.'));
        else done(null, value);
      });
    }
  });
}

/**
 * The guard that throws for a body that nobody is going to read, and invites the others that wait to be invited. To be
 * passed last.
 */
export function inviteBody(request: FastifyRequest, reply: FastifyReply): void {
  if (hasContentCoding(request)) throw refusedCoding();
  if (Number(request.headers['content-length']) > routeOf(request).bodyLimit) throw new Problem('body-too-large');
  if (awaitsContinue(request.raw)) reply.raw.writeContinue();
}

const hasContentCoding = ({ headers }: FastifyRequest): boolean =>
  headers['content-encoding'] !== undefined && headers['content-encoding'].trim().toLowerCase() !== 'identity';

const refusedCoding = (): Problem =>
  new Problem('unsupported-media-type', { headers: { 'Accept-Encoding': 'identity' } });

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Undefined for bytes that are not UTF-8. */
export function textOf(body: Buffer): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

export const detailOf: Readonly<Record<JsonFault, string>> = {
  'too-deep': `The body is nested deeper than ${bodyLimits.depth} levels.`,
  'too-many-members': `The body has more than ${bodyLimits.members} members.`,
  'too-many-values': `The body has more than ${bodyLimits.values} values.`,
  'repeated-name': 'An object in the body has two members of the same name.',
  'unusable-text': 'A string in the body has a character that cannot be stored.',
};

export const malformed = (detail: string): Problem => new Problem('malformed-request', { detail });
