import { decodeHuffman } from './huffman.ts';

/** Names in lower case with their values, in the order they were sent. Values are latin1. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/**
 * Headers as HPACK (RFC 7541), each spelled out. The peer keeps nothing of them, so the bytes can be used again for any
 * request over any connection.
 */
export const encodeHeaders = (headers: HeaderList): Buffer =>
  Buffer.concat(headers.flatMap(([name, value]) => [literalFor(name), encodeString(name), encodeString(value)]));

/** A credential is one that no proxy may keep a table entry of. */
const literalFor = (name: string): Buffer => Buffer.of(name === 'authorization' ? 0x10 : 0);

function encodeString(text: string): Buffer {
  const octets = Buffer.from(text, 'latin1');
  const size: number[] = [];
  let rest = octets.length;
  if (rest < 127) return Buffer.concat([Buffer.of(rest), octets]);
  for (rest -= 127; rest >= 128; rest = Math.floor(rest / 128)) size.push((rest % 128) + 128);
  return Buffer.concat([Buffer.of(127, ...size, rest), octets]);
}

/**
 * The headers of a block. A block means the same at any time, because the peer was told to keep no table (a size of 0):
 * only the fixed one is known here. Throws where the block is not well-formed.
 */
export function decodeHeaders(block: Uint8Array): HeaderList {
  const headers: (readonly [string, string])[] = [];
  const cursor = { block, at: 0 };
  while (cursor.at < block.length) {
    const first = block[cursor.at] ?? 0;
    if (first >= 0x80) headers.push(fixedHeader(readInteger(cursor, 7)));
    // Indexed later, never indexed, not indexed: without a table these are one.
    else if (first >= 0x40) headers.push(readHeader(cursor, 6));
    else if (first < 0x20) headers.push(readHeader(cursor, 4));
    else if (readInteger(cursor, 5) > 0) throw new Error('the peer keeps a table of headers');
  }
  return headers;
}

const known = new Map<string, HeaderList>();

/** Does the same as {@link decodeHeaders}. Answers that went well have the same few blocks, so these are read once. */
export function decodeKnownHeaders(block: Buffer): HeaderList {
  if (block.length > 128) return decodeHeaders(block);
  const key = block.toString('latin1');
  const found = known.get(key);
  if (found !== undefined) return found;
  const headers = decodeHeaders(block);
  if (known.size >= 100) known.clear();
  known.set(key, headers);
  return headers;
}

interface Cursor {
  readonly block: Uint8Array;
  at: number;
}

function readHeader(cursor: Cursor, prefixBits: number): readonly [string, string] {
  const index = readInteger(cursor, prefixBits);
  const name = index === 0 ? readString(cursor) : fixedHeader(index)[0];
  return [name, readString(cursor)];
}

function readInteger(cursor: Cursor, prefixBits: number): number {
  const max = 2 ** prefixBits - 1;
  let value = nextOctet(cursor) & max;
  if (value < max) return value;
  for (let weight = 1; ; weight *= 128) {
    const octet = nextOctet(cursor);
    value += (octet & 127) * weight;
    if (value > 2 ** 28) throw new Error('a number among the headers is too large');
    if (octet < 128) return value;
  }
}

function readString(cursor: Cursor): string {
  const isShortened = (cursor.block[cursor.at] ?? 0) >= 0x80;
  const length = readInteger(cursor, 7);
  const octets = cursor.block.subarray(cursor.at, cursor.at + length);
  if (octets.length < length) throw new Error('the headers end amid a string');
  cursor.at += length;
  return isShortened ? decodeHuffman(octets) : Buffer.from(octets).toString('latin1');
}

function nextOctet(cursor: Cursor): number {
  const octet = cursor.block[cursor.at];
  if (octet === undefined) throw new Error('the headers end amid a number');
  cursor.at += 1;
  return octet;
}

function fixedHeader(index: number): readonly [string, string] {
  const header = fixedTable[index - 1];
  if (header === undefined) throw new Error('a header has an index that stands for nothing');
  return header;
}

/** RFC 7541, appendix A. A name without a value has the empty one. */
const fixedTable = [
  ':authority, :method GET, :method POST, :path /, :path /index.html, :scheme http, :scheme https',
  ':status 200, :status 204, :status 206, :status 304, :status 400, :status 404, :status 500, accept-charset',
  'accept-encoding gzip; deflate, accept-language, accept-ranges, accept, access-control-allow-origin, age, allow',
  'authorization, cache-control, content-disposition, content-encoding, content-language, content-length',
  'content-location, content-range, content-type, cookie, date, etag, expect, expires, from, host, if-match',
  'if-modified-since, if-none-match, if-range, if-unmodified-since, last-modified, link, location, max-forwards',
  'proxy-authenticate, proxy-authorization, range, referer, refresh, retry-after, server, set-cookie',
  'strict-transport-security, transfer-encoding, user-agent, vary, via, www-authenticate',
]
  .flatMap((line) => line.split(', '))
  .map((entry): readonly [string, string] => {
    const [name = '', ...value] = entry.split(' ');
    return [name, value.join(' ').replace(';', ',')];
  });
