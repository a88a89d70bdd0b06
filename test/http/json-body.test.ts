import { afterAll, describe, expect, it } from 'vitest';
import { jsonPost, startApp } from '../harness/app.ts';

const api = await startApp();
afterAll(api.stop);

const post = (body: string | Buffer, headers: Record<string, string> = { 'Content-Type': 'application/json' }) =>
  api.send('/v1/large-things', { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers });

describe('a body', () => {
  it('of JSON reaches the handler as it is', async () => {
    const body = { a: [1, { b: 'ü\u2028', c: null }], d: '\ud83d\ude00' };
    expect(await api.send('/v1/things', jsonPost(body))).toMatchObject({ status: 202, body: { body } });
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="utf-8"'])(
    'may come as %s',
    async (type) => {
      expect((await post('{}', { 'Content-Type': type })).status).toBe(202);
    },
  );

  it('may begin with a byte order mark', async () => {
    expect((await post('\ufeff{"a":1}')).body).toEqual({ body: { a: 1 } });
  });

  it('may be missing', async () => {
    expect((await api.send('/v1/things', { method: 'POST' })).status).toBe(202);
  });

  it.each([
    ['text/plain', '{}'],
    ['application/xml', '<a/>'],
    ['application/x-www-form-urlencoded', 'a=1'],
    ['application/problem+json', '{}'],
    ['application/jsonp', '{}'],
    ['json', '{}'],
    ['', '{}'],
  ])('of type "%s" is 415', async (type, body) => {
    expect(await post(body, { 'Content-Type': type })).toMatchObject({
      status: 415,
      body: { code: 'unsupported-media-type' },
    });
  });

  it.each(['gzip', 'br', 'deflate', 'identity, gzip', 'x'])('with content coding %s is 415', async (coding) => {
    const { status, headers } = await post('{}', { 'Content-Type': 'application/json', 'Content-Encoding': coding });
    expect(status).toBe(415);
    expect(headers.get('accept-encoding')).toBe('identity');
  });

  it('with content coding identity is read', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'Identity' };
    expect((await post('{}', headers)).status).toBe(202);
  });

  it.each([
    ['half an object', '{"a":'],
    ['two values', '{} {}'],
    ['a comment', '{/* */}'],
    ['single quotes', "{'a':1}"],
    ['NaN', 'NaN'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['a member twice', '{"amount":1,"amount":2}'],
    ['a member twice, once escaped', '{"amount":1,"\\u0061mount":2}'],
    ['a member twice further in', '[{"x":{"a":1,"b":{"a":2},"a":3}}]'],
    ['__proto__', '{"__proto__":{"isAdmin":true}}'],
    ['__proto__ escaped', '{"\\u005f_proto__":{"isAdmin":true}}'],
    ['__proto__ further in', '{"a":[{"__proto__":1}]}'],
    ['a constructor with a prototype', '{"constructor":{"prototype":{"isAdmin":true}}}'],
    ['NUL in a string', '{"a":"x\\u0000y"}'],
    ['NUL in a name', '{"a\\u0000":1}'],
    ['half a surrogate pair', '{"a":"\\ud83d"}'],
    ['33 arrays in each other', '['.repeat(33) + ']'.repeat(33)],
    ['5000 arrays in each other', '['.repeat(5_000) + ']'.repeat(5_000)],
    ['5000 open brackets', '['.repeat(5_000)],
    ['33 objects in each other', '{"a":'.repeat(33) + '1' + '}'.repeat(33)],
    ['1001 members', `{${Array.from({ length: 1_001 }, (_, n) => `"k${n}":1`).join()}}`],
    ['1001 members in small objects', `[${Array.from({ length: 1_001 }, () => '{"k":1}').join()}]`],
    ['2001 values', `[${Array.from({ length: 2_000 }, () => '""').join()}]`],
    ['2001 values in small arrays', `[${Array.from({ length: 1_000 }, () => '[]').join()}]`],
  ])('of %s is 400 and is told nothing of the parser', async (_what, body) => {
    const { status, body: problem, text } = await post(body);
    expect(status).toBe(400);
    expect(problem).toMatchObject({ code: 'malformed-request', effect: 'none' });
    expect(text).not.toMatch(/position|token|Unexpected|prototype property/);
    expect(Object.prototype).not.toHaveProperty('isAdmin');
  });

  it.each([
    ['32 arrays in each other', '['.repeat(32) + ']'.repeat(32)],
    ['1000 members', `{${Array.from({ length: 1_000 }, (_, n) => `"k${n}":1`).join()}}`],
    ['2000 values', `[${Array.from({ length: 1_999 }, () => '""').join()}]`],
    ['the same member in two objects', '[{"a":1},{"a":2},{"b":{"a":1}},"a","a"]'],
    ['brackets and colons in strings', `{"a":"${'[{:'.repeat(50)}\\"","b\\\\":"}"}`],
    ['a bare value', '"text"'],
  ])('of %s is read', async (_what, body) => {
    const { status, text } = await post(body);
    expect(status).toBe(202);
    expect(JSON.parse(text)).toEqual({ body: JSON.parse(body) as unknown });
  });

  const bodyOf = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;

  it.each([
    ['/v1/things', 8_192],
    ['/v1/large-things', 65_536],
  ])('to %s may be %d bytes long, and one byte more is 413', async (path, bytes) => {
    expect((await api.send(path, jsonPost(bodyOf(bytes)))).status).toBe(202);
    expect(await api.send(path, jsonPost(bodyOf(bytes + 1)))).toMatchObject({
      status: 413,
      body: { code: 'body-too-large', effect: 'none' },
    });
  });

  it.each([
    ['/v1/things', 10_000],
    ['/v1/large-things', 80_000],
  ])('without announced length to %s is cut at the same length', async (path, bytes) => {
    const stream = new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < bytes; sent += 2_000) controller.enqueue(Buffer.alloc(2_000, 'x'));
        controller.close();
      },
    });
    const init: RequestInit = { method: 'POST', body: stream, duplex: 'half' };
    expect(await api.send(path, { ...init, headers: { 'Content-Type': 'application/json' } })).toMatchObject({
      status: 413,
      body: { code: 'body-too-large' },
    });
  });

  it('that is as bad as 64 KiB can be costs little time', async () => {
    const worst = [
      '['.repeat(65_536),
      '{"":'.repeat(16_000),
      `{${'"a":1,'.repeat(10_000)}"b":1}`,
      `["${'\\\\'.repeat(32_000)}"]`,
      `"${'\\'.repeat(65_000)}`,
      `[${'"",'.repeat(21_840)}""]`,
      `[${'"\\\\",'.repeat(10_900)}""]`,
    ];
    for (const body of worst) {
      const startedAt = performance.now();
      expect([202, 400]).toContain((await post(body)).status);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    }
  });

  it('is not looked at before token and permission', async () => {
    const init = { method: 'POST', body: '{', headers: { 'Content-Type': 'application/json' } };
    expect((await api.send('/v1/things', { ...init, authorization: null })).status).toBe(401);
    expect((await api.send('/v1/things/t-1/poke', init)).status).toBe(403);
  });
});
