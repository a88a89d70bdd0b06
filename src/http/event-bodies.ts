import type { FastifyInstance, FastifyRequest } from 'fastify';
import { jsonTypes } from '../operations/cloud-events.ts';
import type { ItemsDeclaration } from '../operations/operation.ts';
import { Problem } from '../problems.ts';
import { asOfHeaders, attributesIn } from './event-headers.ts';
import { acceptBytes, createReader, type ItemReader, readArray } from './item-bodies.ts';
import type { ReadItem } from './items.ts';
import { bodyLimits, malformed, textOf } from './json-body.ts';

/** The attributes around the data are allowed on top. */
const eventLimits = {
  depth: bodyLimits.depth + 1,
  members: bodyLimits.members + 64,
  values: bodyLimits.values + 128,
};

/**
 * Reads CloudEvents for the routes of `scope` in the three modes of their HTTP binding. Gives one {@link ReadItem}, or an
 * array of them for a batch. Returns what reads an event without a body, which has no data.
 */
export function acceptEvents(
  scope: FastifyInstance,
  declaration: ItemsDeclaration,
): (request: FastifyRequest) => ReadItem {
  const reader = createReader(scope, declaration, eventLimits);
  scope.removeAllContentTypeParsers();
  acceptBytes(scope, 'application/cloudevents+json', (request, body) => readOne(reader, request, body));
  acceptBytes(scope, 'application/cloudevents-batch+json', (request, body) =>
    readArray(reader, request, body, declaration.max),
  );
  acceptBytes(scope, jsonTypes, (request, body) => readBinary(reader, request, body));
  scope.addContentTypeParser('*', (_request, _body, done) => done(refusedType()));
  return (request) => reader.readValue(request, attributesOf(request), 0, asOfHeaders);
}

const refusedType = (): Problem =>
  new Problem('unsupported-media-type', {
    detail:
      'An event comes as application/cloudevents+json, several as application/cloudevents-batch+json. In binary mode the ' +
      'body is JSON.',
  });

function readOne(reader: ItemReader, request: FastifyRequest, body: Buffer): ReadItem {
  const text = textOf(body);
  if (text === undefined) throw malformed('The body is not UTF-8.');
  const item = reader.readText(request, text, body.length);
  if (item === 'no-json') throw malformed('The body is not JSON.');
  return item;
}

function readBinary(reader: ItemReader, request: FastifyRequest, body: Buffer): ReadItem {
  const attributes = attributesOf(request);
  const data = textOf(body);
  if (data === undefined) throw malformed('The body is not UTF-8.');
  const datacontenttype = request.headers['content-type'];
  if (data === '') return reader.readValue(request, { ...attributes, datacontenttype }, 0, asOfHeaders);
  const event = (value: unknown) => ({ ...attributes, datacontenttype, data: value });
  const item = reader.readText(request, data, body.length, { whole: event, tell: asOfHeaders });
  if (item === 'no-json') throw malformed('The body is not JSON.');
  return item;
}

function attributesOf(request: FastifyRequest): Record<string, string> {
  const attributes = attributesIn(request.raw.rawHeaders);
  if (attributes !== undefined) return attributes;
  throw malformed(
    'There is no event: in binary mode its attributes are headers such as ce-id, otherwise the body is of the type ' +
      'application/cloudevents+json.',
  );
}
