import { base64url, claimsOf, type SigningKey } from './tokens.ts';
import { accepted, refused, type Signer, stricter, type TokenVector } from './vector.ts';

/** What can be wrong with the three parts of a token, before and after what they say. */
export function structureVectors(key: SigningKey, signer: Signer): TokenVector[] {
  return [
    ...shapeVectors(signer),
    ...jsonVectors(key, signer),
    ...tamperedVectors(signer),
    ...signatureVectors(key, signer),
  ];
}

function shapeVectors({ sign }: Signer): TokenVector[] {
  const token = sign({});
  const [header = '', payload = '', signature = ''] = token.split('.');
  return [
    refused('one part', header),
    refused('two parts', `${header}.${payload}`),
    refused('four parts', `${token}.${signature}`),
    refused('five parts', `${header}..${payload}.${signature}.x`),
    refused('a dot at the end', `${token}.`),
    refused('a dot at the beginning', `.${token}`),
    refused('no header', `.${payload}.${signature}`),
    refused('no payload', `${header}..${signature}`),
    refused('only dots', '..'),
    refused('padding after the header', `${header}=.${payload}.${signature}`),
    refused('padding after the payload', `${header}.${payload}=.${signature}`),
    stricter('padding after the signature', `${token}${'='.repeat((4 - (signature.length % 4)) % 4)}`),
    refused('the other alphabet', `${header}.${payload}.+/${signature.slice(2)}`),
    refused('white space inside', `${header}. ${payload}.${signature}`),
    refused('a percent sign inside', `${header}.${payload}%2e${signature}`),
    refused('JSON instead', JSON.stringify({ payload, protected: header, signature })),
    refused('parts in another order', `${payload}.${header}.${signature}`),
    refused('the header twice', `${header}.${header}.${signature}`),
    accepted('with 2,000 characters more', sign({ filler: 'x'.repeat(2_000) })),
    stricter('longer than 4 KiB', sign({ filler: 'x'.repeat(3_072) })),
  ];
}

function jsonVectors(key: SigningKey, { signHeader, signPayload }: Signer): TokenVector[] {
  const honest = JSON.stringify({ alg: key.alg, typ: 'JWT', kid: key.kid });
  const claims = JSON.stringify(claimsOf());
  const again = (json: string, member: string) => `${json.slice(0, -1)},${member}}`;
  const noJson = ['', 'null', '[]', '"text"', '5', 'true', '{', '{"a":}', "{'a':1}", 'undefined'];
  return [
    ...noJson.map((text) => refused(`payload ${text || 'empty'}`, signPayload(text))),
    ...[...noJson, '{}'].map((text) => refused(`header ${text || 'empty'}`, signHeader(text))),
    stricter('a claim twice', signPayload(again(claims, '"sub":"mallory"'))),
    stricter('a claim twice, once escaped', signPayload(again(claims, '"\\u0073ub":"mallory"'))),
    stricter('NUL in a claim', signPayload(again(claims, '"x":"\\u0000"'))),
    stricter('a claim further in twice', signPayload(again(claims, '"x":{"a":1,"a":2}'))),
    stricter('a header member twice', signHeader(again(honest, '"typ":"JWT"'))),
    stricter('alg none first, then the honest one', signHeader(`{"alg":"none",${honest.slice(1)}`)),
    refused('the honest alg first, then none', signHeader(again(honest, '"alg":"none"'))),
    refused('bytes that are no UTF-8', signPayload(Buffer.from(again(claims, '"x":"\u00ff"'), 'latin1'))),
    stricter('a byte order mark before the payload', signPayload(`\ufeff${claims}`)),
    accepted('white space in JSON', signPayload(` ${claims.replaceAll(',', ' ,\n ')} `)),
  ];
}

function tamperedVectors({ sign }: Signer): TokenVector[] {
  const [header = '', , signature = ''] = sign({}).split('.');
  const other = sign({ sub: 'mallory' });
  const [, otherPayload = ''] = other.split('.');
  return [
    refused('the payload of another token', `${header}.${otherPayload}.${signature}`),
    refused(
      'more permissions than were signed',
      `${header}.${base64url(JSON.stringify(claimsOf({ permissions: ['things:rare'] })))}.${signature}`,
    ),
    refused(
      'a later expiry than was signed',
      `${header}.${base64url(JSON.stringify(claimsOf({ exp: Math.floor(Date.now() / 1_000) + 7_200 })))}.${signature}`,
    ),
    refused(
      'another tenant than was signed',
      `${header}.${base64url(JSON.stringify(claimsOf({ tenant: 'other' })))}.${signature}`,
    ),
  ];
}

function signatureVectors(key: SigningKey, { sign }: Signer): TokenVector[] {
  const token = sign({});
  const dot = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(dot + 1), 'base64url');
  const withSignature = (bytes: Buffer) => `${token.slice(0, dot)}.${bytes.toString('base64url')}`;
  const flipped = (index: number) => Buffer.from(signature.map((byte, at) => (at === index ? byte ^ 1 : byte)));
  return [
    refused('no signature', withSignature(Buffer.alloc(0))),
    refused('a signature cut short', withSignature(signature.subarray(0, -1))),
    refused('a signature with a byte more', withSignature(Buffer.concat([signature, Buffer.alloc(1)]))),
    refused('a signature with a byte before', withSignature(Buffer.concat([Buffer.alloc(1), signature]))),
    refused('the signature twice', withSignature(Buffer.concat([signature, signature]))),
    refused('zeros as signature', withSignature(Buffer.alloc(signature.length))),
    refused('ones as signature', withSignature(Buffer.alloc(signature.length, 0xff))),
    refused('the signature of another token', `${token.slice(0, dot)}.${sign({ sub: 'bob' }).split('.')[2] ?? ''}`),
    ...[0, 1, Math.floor(signature.length / 2), signature.length - 1].map((index) =>
      refused(`a bit flipped in byte ${index} of the signature`, withSignature(flipped(index))),
    ),
    ...(key.alg === 'ES256' ? ellipticVectors(signature, withSignature) : []),
  ];
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

/** P-256 has two valid signatures for each one: why a token's text identifies nothing. */
function ellipticVectors(signature: Buffer, withSignature: (bytes: Buffer) => string): TokenVector[] {
  const r = signature.subarray(0, 32);
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
  const integer = (bytes: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
  const der = Buffer.concat([Buffer.from([0x30, 70]), integer(r), integer(signature.subarray(32))]);
  return [
    accepted('the mirrored signature', withSignature(Buffer.concat([r, scalar(order - s)]))),
    refused('a signature in DER', withSignature(der)),
    refused('r and s of zero', withSignature(Buffer.alloc(64))),
    refused('r and s of the order', withSignature(Buffer.concat([scalar(order), scalar(order)]))),
    refused('s of zero', withSignature(Buffer.concat([r, scalar(0n)]))),
    refused('r and s swapped', withSignature(Buffer.concat([signature.subarray(32), r]))),
  ];
}
