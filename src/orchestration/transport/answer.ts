import { Metadata, status as grpcCode } from '@grpc/grpc-js';
import type { HeaderList } from './hpack.ts';

/** What an attempt ended with: the message, or why there is none. */
export type Answer = { readonly message: Buffer } | Failure;

export interface Failure {
  /** A status code of gRPC. */
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
  /** `unsent`: there was no connection. `refused`: the server left, and said that it did nothing for it. */
  readonly evidence: 'unsent' | 'refused' | 'told' | 'unknown';
}

/** A failure that the server did not tell. */
export const failureOf = (code: number, details: string, evidence: Failure['evidence']): Failure => ({
  code,
  details,
  metadata: new Metadata(),
  evidence,
});

const prefixSize = 5;
/** What the SDK's clients and we read of an answer beside its status. */
const statusDetails = 'grpc-status-details-bin';

/** A message as gRPC frames it: not compressed, with its length. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixSize + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixSize);
  return framed;
}

/** What the headers, the trailers and the body of an answer say (the document "gRPC over HTTP2"). */
export function readAnswer(headers: HeaderList, body: Buffer): Answer {
  const code = headerOf(headers, 'grpc-status');
  if (code === undefined) return withoutStatus(headerOf(headers, ':status'));
  if (code !== '0') return toldFailure(Number(code), headers);
  const isWhole = body.length >= prefixSize && body[0] === 0 && body.readUInt32BE(1) === body.length - prefixSize;
  if (!isWhole) return failureOf(grpcCode.INTERNAL, 'The answer is no plain message', 'unknown');
  return { message: body.subarray(prefixSize) };
}

const headerOf = (headers: HeaderList, wanted: string): string | undefined =>
  headers.find(([name]) => name === wanted)?.[1];

function toldFailure(code: number, headers: HeaderList): Failure {
  const metadata = new Metadata();
  for (const [name, value] of headers) {
    if (name === statusDetails) metadata.add(name, Buffer.from(value, 'base64'));
  }
  const isKnown = grpcCode[code] !== undefined;
  const details = decodeMessage(headerOf(headers, 'grpc-message') ?? '');
  return { code: isKnown ? code : grpcCode.UNKNOWN, details, metadata, evidence: 'told' };
}

/** The text is UTF-8 with percent signs. One that is malformed is taken as it stands. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Codes for answers of a proxy that knows nothing of gRPC, as its document lists them. */
const codesOfHttp: Readonly<Record<string, grpcCode>> = {
  400: grpcCode.INTERNAL,
  401: grpcCode.UNAUTHENTICATED,
  403: grpcCode.PERMISSION_DENIED,
  404: grpcCode.UNIMPLEMENTED,
  429: grpcCode.UNAVAILABLE,
  502: grpcCode.UNAVAILABLE,
  503: grpcCode.UNAVAILABLE,
  504: grpcCode.UNAVAILABLE,
};

function withoutStatus(httpStatus: string | undefined): Failure {
  if (httpStatus === '200') return failureOf(grpcCode.UNAVAILABLE, 'The answer has no gRPC status', 'unknown');
  const code = codesOfHttp[httpStatus ?? ''] ?? grpcCode.UNKNOWN;
  // Somebody on the way says so, and may have handed the request on before.
  return failureOf(code, `Answered with HTTP status ${httpStatus ?? 'none'}`, 'unknown');
}
