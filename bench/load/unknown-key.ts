const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

let last = { second: 0, token: '' };

/** A token issued this second that names a key nobody has. Whoever sends it needs no key. */
export function tokenOfUnknownKey(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (last.second !== second) last = { second, token: tokenIssuedAt(second) };
  return last.token;
}

/** The same, issued at another second of the epoch. */
export function tokenIssuedAt(second: number): string {
  const claims = { iss: 'https://issuer.example', aud: 'portico', sub: 'stranger', tenant: 'bench' };
  return [
    part({ alg: 'RS256', typ: 'JWT', kid: 'unknown' }),
    part({ ...claims, iat: second, exp: second + 7_200 }),
    Buffer.alloc(256, 1).toString('base64url'),
  ].join('.');
}
