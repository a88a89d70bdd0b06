import { createPublicKey } from 'node:crypto';
import { structureVectors } from './corpus-structure.ts';
import {
  audience,
  base64url,
  claimsOf,
  createSigningKey,
  issuer,
  signatureOf,
  type SigningKey,
  signToken,
} from './tokens.ts';
import { accepted, refused, type Signer, signerWith, stricter, type TokenVector } from './vector.ts';

/** Everything we know that can be wrong with a token, or looks as if it were; signed with `key`. */
export function tokenCorpus(key: SigningKey, trusted: readonly SigningKey[]): readonly TokenVector[] {
  const signer = signerWith(key);
  return [
    ...goodVectors(signer),
    ...missingVectors(signer),
    ...partyVectors(signer),
    ...timeVectors(signer),
    ...grantVectors(signer),
    ...headerVectors(signer),
    ...algorithmVectors(key, signer),
    ...keyIdVectors(key, trusted, signer),
    ...structureVectors(key, signer),
  ].map((vector) => ({ ...vector, name: `${key.alg}: ${vector.name}` }));
}

const now = (): number => Math.floor(Date.now() / 1_000);
const shown = (value: unknown): string => JSON.stringify(value).slice(0, 40);

function goodVectors({ sign }: Signer): TokenVector[] {
  return [
    accepted('as it should be', sign({})),
    accepted('audience in a list', sign({ aud: [audience] })),
    accepted('audience among others', sign({ aud: ['other', audience] })),
    accepted('without typ', sign({}, { typ: undefined })),
    ...['jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt'].map((typ) => accepted(`typ ${typ}`, sign({}, { typ }))),
    accepted('without key id', sign({}, { kid: undefined })),
    accepted('expired within the skew', sign({ iat: now() - 600, exp: now() - 30 })),
    accepted('issued within the skew', sign({ iat: now() + 30 })),
    accepted('not before, within the skew', sign({ nbf: now() + 30 })),
    accepted('a lifetime of a day', sign({ iat: now() - 60, exp: now() - 60 + 86_400 })),
    accepted('without tenant', sign({ tenant: undefined })),
    accepted('without permissions', sign({ permissions: undefined })),
    accepted('scope', sign({ permissions: undefined, scope: 'things:read  openid' })),
    accepted('foreign permissions', sign({ permissions: ['other:all', ''] })),
    accepted('a subject of 255 characters', sign({ sub: 's'.repeat(255) })),
    accepted('a subject of another script', sign({ sub: '用户|\ud83d\ude00' })),
    accepted('other claims', sign({ jti: 'x', azp: 'y', nested: { a: [1, { b: 2 }] } })),
    accepted(
      'addresses in the header, which are not followed',
      sign({}, { jku: 'https://evil.example/k', x5u: 'https://evil.example/c' }),
    ),
  ];
}

function missingVectors({ sign }: Signer): TokenVector[] {
  const required = ['iss', 'aud', 'sub', 'iat', 'exp'];
  return required.flatMap((name) => [
    refused(`without ${name}`, sign({ [name]: undefined })),
    name === 'sub' ? stricter('sub null', sign({ sub: null })) : refused(`${name} null`, sign({ [name]: null })),
  ]);
}

function partyVectors({ sign }: Signer): TokenVector[] {
  const issuers = [
    '',
    'https://other.example',
    `${issuer}/`,
    ` ${issuer}`,
    issuer.toUpperCase(),
    `${issuer}.evil.example`,
    'https://issuer',
    [issuer],
    5,
    true,
    { iss: issuer },
  ];
  const audiences = [
    '',
    'other',
    'porticox',
    'portic',
    ' portico',
    'PORTICO',
    [],
    ['other'],
    [[audience]],
    { 0: audience },
    5,
    true,
    [5],
  ];
  const subjects = ['', 5, true, [], ['alice'], {}, 's'.repeat(256), 'a\u0000b', 'a\nb', 'a\u0085b', '\ud800'];
  return [
    ...issuers.map((iss) => refused(`iss ${shown(iss)}`, sign({ iss }))),
    ...audiences.map((aud) => refused(`aud ${shown(aud)}`, sign({ aud }))),
    stricter('aud with a number beside it', sign({ aud: [audience, 5] })),
    // jose looks at the type of no claim whose value it was not told.
    ...subjects.map((sub) => stricter(`sub ${shown(sub)}`, sign({ sub }))),
  ];
}

function timeVectors({ sign, signPayload }: Signer): TokenVector[] {
  const withText = (name: string, text: string) =>
    signPayload(JSON.stringify(claimsOf({ [name]: 'HERE' })).replace('"HERE"', text));
  const day = 86_400;
  return [
    refused('expired', sign({ iat: now() - 3_600, exp: now() - 62 })),
    refused('expired a year ago', sign({ iat: now() - 2 * 365 * day, exp: now() - 365 * day })),
    ...['0', '-1', '-1e400', '"9999999999"', '"tomorrow"', '[9999999999]', '{}', 'true', '""'].map((exp) =>
      refused(`exp ${exp}`, withText('exp', exp)),
    ),
    ...['1e400', '99999999999999999999', String(now() + 100 * 365 * day), `${now() + 3_600}.5`].map((exp) =>
      stricter(`exp ${exp}`, withText('exp', exp)),
    ),
    stricter('a lifetime of a day and a second', sign({ iat: now(), exp: now() + day + 1 })),
    stricter('expired before it was issued', sign({ iat: now() + 20, exp: now() - 20 })),
    stricter('expired as it was issued', sign({ iat: now(), exp: now() })),
    ...[90, 3_600, 10 * 365 * day].map((ahead) =>
      stricter(`issued in ${ahead} s`, sign({ iat: now() + ahead, exp: now() + ahead + 60 })),
    ),
    ...['"1700000000"', '[1]', '{}', 'true', '""'].map((iat) => refused(`iat ${iat}`, withText('iat', iat))),
    ...['0', '-1', '1e400', '-1e400', `${now()}.5`].map((iat) => stricter(`iat ${iat}`, withText('iat', iat))),
    ...[90, 3_600].map((ahead) => refused(`not before ${ahead} s from now`, sign({ nbf: now() + ahead }))),
    ...['1e400', '"0"', '[0]', 'true', 'null'].map((nbf) => refused(`nbf ${nbf}`, withText('nbf', nbf))),
  ];
}

function grantVectors({ sign }: Signer): TokenVector[] {
  const tenants = [
    '',
    '.',
    '..',
    'a/b',
    'a b',
    'ä',
    '~',
    'a%2fb',
    't'.repeat(65),
    'a\n',
    null,
    5,
    true,
    [],
    ['acme'],
    {},
  ];
  const permissions = ['things:read', 5, null, true, {}, [5], [null], ['things:read', 5], [['things:read']]];
  const scopes = [5, null, true, {}, ['things:read']];
  return [
    ...tenants.map((tenant) => stricter(`tenant ${shown(tenant)}`, sign({ tenant }))),
    ...permissions.map((value) => stricter(`permissions ${shown(value)}`, sign({ permissions: value }))),
    ...scopes.map((scope) => stricter(`scope ${shown(scope)}`, sign({ permissions: undefined, scope }))),
  ];
}

function headerVectors({ sign }: Signer): TokenVector[] {
  const types = ['JWS', 'JOSE', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', 'at+jwt;x', '', ' JWT', 'application/json'];
  const crits = [['exp'], [], ['b64'], ['kid'], ['alg'], ['x', 'x'], 'exp', null, [5], {}, true];
  return [
    ...types.map((typ) => stricter(`typ ${shown(typ)}`, sign({}, { typ }))),
    ...[5, null, [], {}, true].map((typ) => stricter(`typ ${shown(typ)}`, sign({}, { typ }))),
    ...crits.map((crit) => refused(`crit ${shown(crit)}`, sign({}, { crit, exp: 1, x: 1 }))),
    refused('crit b64 with b64 false', sign({}, { crit: ['b64'], b64: false })),
  ];
}

function algorithmVectors(key: SigningKey, { sign }: Signer): TokenVector[] {
  const honest = sign({});
  const [, payload = '', signature = ''] = honest.split('.');
  const withHeader = (header: object, end = signature) =>
    `${base64url(JSON.stringify({ kid: key.kid, ...header }))}.${payload}.${end}`;
  const others = [
    'HS256',
    'HS384',
    'HS512',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
  ].filter((alg) => alg !== key.alg);
  const foreign = [
    'none',
    'None',
    'NONE',
    'nOnE',
    'none ',
    'ES256K',
    'RS1',
    'dir',
    'A128KW',
    'Ed25519',
    key.alg.toLowerCase(),
    ` ${key.alg}`,
    `${key.alg}\n`,
    '',
    null,
    5,
    true,
    [key.alg],
    {},
  ];
  return [
    ...[...others, ...foreign].map((alg) => refused(`alg ${shown(alg)} over the honest signature`, sign({}, { alg }))),
    ...['none', 'None', 'NONE', 'nOnE'].flatMap((alg) => [
      refused(`alg ${alg} without signature`, withHeader({ alg }, '')),
      refused(`alg ${alg} with another's signature`, withHeader({ alg })),
    ]),
    refused('no alg', withHeader({})),
    ...confusedVectors(key),
  ];
}

/** A public key is known to everybody: whoever takes it for a shared secret lets everybody sign. */
function confusedVectors(key: SigningKey): TokenVector[] {
  if (Buffer.isBuffer(key.material)) return [];
  const publicKey = createPublicKey(key.pem);
  const secrets: Readonly<Record<string, Buffer>> = {
    'the PEM': Buffer.from(key.pem),
    'the PEM without line break': Buffer.from(key.pem.trim()),
    'the PEM after white space': Buffer.from(`\n ${key.pem}`),
    'the DER': publicKey.export({ type: 'spki', format: 'der' }),
    'the JWK': Buffer.from(JSON.stringify(key.jwk)),
    nothing: Buffer.alloc(0),
  };
  return Object.entries(secrets).flatMap(([what, secret]) =>
    (['HS256', 'HS384', 'HS512'] as const).map((alg) => {
      const input = `${base64url(JSON.stringify({ alg, typ: 'JWT', kid: key.kid }))}.${base64url(JSON.stringify(claimsOf()))}`;
      return refused(
        `${alg} with ${what} as secret`,
        `${input}.${signatureOf(alg, secret, input).toString('base64url')}`,
      );
    }),
  );
}

function keyIdVectors(key: SigningKey, trusted: readonly SigningKey[], { sign }: Signer): TokenVector[] {
  const stranger = createSigningKey(key.alg, key.kid);
  const isSecret = Buffer.isBuffer(key.material);
  const kids = [
    '',
    'unknown',
    '../../../dev/null',
    "' OR 1=1 --",
    '__proto__',
    'constructor',
    'k'.repeat(256),
    ...trusted.filter(({ kid }) => kid !== key.kid).map(({ kid }) => kid),
  ];
  const own = (header: Readonly<Record<string, unknown>>) => signToken({ key: stranger, header, payload: claimsOf() });
  return [
    // The one secret there is needs no name, so a name is not looked at.
    ...kids.map((kid) => (isSecret ? accepted : refused)(`kid ${shown(kid)}`, sign({}, { kid }))),
    (isSecret ? stricter : refused)('kid of NUL', sign({}, { kid: '\u0000' })),
    (isSecret ? stricter : refused)('kid of 257 characters', sign({}, { kid: 'k'.repeat(257) })),
    ...[5, null, true, [key.kid], {}].map((kid) =>
      (isSecret ? stricter : refused)(`kid ${shown(kid)}`, sign({}, { kid })),
    ),
    refused("a stranger's key under the known id", own({})),
    refused("a stranger's key without id", own({ kid: undefined })),
    refused("a stranger's key in the header", own({ jwk: stranger.jwk })),
    refused("a stranger's key in the header without id", own({ kid: undefined, jwk: stranger.jwk })),
    refused("a stranger's key set in the header", own({ jku: 'https://evil.example/keys' })),
    refused(
      "a stranger's certificate in the header",
      own({ x5c: [base64url('certificate')], x5u: 'https://evil.example/c' }),
    ),
  ];
}
