import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type FrontPageOptions, serveFrontPage } from '../../src/http/front-page.ts';
import { operations } from '../../src/operations/index.ts';
import { appKey, startApp } from '../harness/app.ts';
import { mintToken } from '../tokens/tokens.ts';

const served = (readers: FrontPageOptions['readers'], corsOrigins: readonly string[] = []) =>
  startApp({ corsOrigins, routes: (app) => serveFrontPage(app, { readers, operations, version: '1.2.3' }) });
const [api, guarded, closed] = await Promise.all([
  served('public', ['https://app.example']),
  served('token'),
  served('off'),
]);
afterAll(() => Promise.all([api.stop(), guarded.stop(), closed.stop()]));

const paths = ['/', '/docs', '/openapi.json', '/openapi.yaml'];
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const get = (path: string, headers: Record<string, string> = {}, { url } = api) =>
  fetch(url + path, { headers: { 'Accept-Encoding': 'identity', ...headers } });
const textOf = async (path: string, headers?: Record<string, string>) => (await get(path, headers)).text();

describe('the index', () => {
  it('tells a program where everything is', async () => {
    const answer = await get('/', { Accept: '*/*' });
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('vary')?.split(', ').sort()).toEqual(['Accept', 'Accept-Encoding', 'Origin']);
    expect(answer.headers.get('link')).toContain('</openapi.json>; rel="service-desc"');
    const index = (await answer.json()) as { resources: object[]; links: Record<string, { href: string }> };
    expect(index).toMatchObject({ name: 'Portico', version: '1.2.3' });
    expect(index.resources).toContainEqual({
      name: 'transfers',
      summary: expect.stringContaining('Move money between two accounts') as string,
      path: '/v1/transfers',
      start: {
        operationId: 'startTransfer',
        href: '/v1/transfers',
        method: 'POST',
        permission: 'transfers:start',
      },
    });
    expect(index.resources).toContainEqual({
      name: 'accounts',
      summary: 'What transfers move money between, each of one currency.',
      path: '/v1/accounts',
    });
    for (const { href } of Object.values(index.links)) expect((await get(href)).status).toBe(200);
  });

  it('is a page for a browser', async () => {
    const answer = await get('/', { Accept: browser });
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await answer.text()).toContain('<h1>Portico <small>1.2.3</small></h1>');
  });
});

describe('the document', () => {
  const committed = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');

  it('is the one that is committed, as YAML and as JSON', async () => {
    const yaml = await get('/openapi.yaml');
    expect(yaml.headers.get('content-type')).toBe('application/yaml');
    expect(await yaml.text()).toBe(committed);
    const json = await get('/openapi.json');
    expect(json.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await json.json()).toEqual(parse(committed));
  });
});

describe.each(paths)('%s', (path) => {
  it('may be kept, and is not sent again to whoever has it', async () => {
    const first = await get(path);
    expect(first.headers.get('cache-control')).toBe('public, max-age=300');
    const tag = first.headers.get('etag') ?? '';
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    for (const condition of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await get(path, { 'If-None-Match': condition });
      expect([again.status, await again.text()]).toEqual([304, '']);
      expect(again.headers.get('etag')).toBe(tag);
      expect(again.headers.get('cache-control')).toBe('public, max-age=300');
      expect(again.headers.get('vary')).toContain('Accept-Encoding');
    }
    for (const condition of ['"other"', 'nonsense']) {
      expect((await get(path, { 'If-None-Match': condition })).status).toBe(200);
    }
  });

  it('is shorter for those who take gzip, with a tag of its own', async () => {
    const plain = await get(path);
    const answer = await get(path, { 'Accept-Encoding': 'gzip' });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('etag')).not.toBe(plain.headers.get('etag'));
    // fetch has unpacked it.
    expect(await answer.text()).toBe(await plain.text());
    expect(
      (await get(path, { 'Accept-Encoding': 'gzip', 'If-None-Match': answer.headers.get('etag') ?? '' })).status,
    ).toBe(304);
  });

  it('answers HEAD as GET, and no other method', async () => {
    const head = await fetch(api.url + path, { method: 'HEAD', headers: { 'Accept-Encoding': 'identity' } });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(await textOf(path)));
    expect((await fetch(api.url + path, { method: 'POST' })).status).toBe(405);
  });

  it('asks for any valid token where it is not public', async () => {
    expect((await get(path, {}, guarded)).status).toBe(401);
    expect((await get(path, { Authorization: 'Bearer nonsense' }, guarded)).status).toBe(401);
    const token = mintToken(appKey, { permissions: [] });
    const answer = await get(path, { Authorization: `Bearer ${token}` }, guarded);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('private, max-age=300');
  });

  it('is not there where it is off', async () => {
    const answer = await get(path, {}, closed);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toMatchObject({ code: 'not-found' });
  });
});

describe('a page', () => {
  it.each(['/', '/docs'])('%s runs nothing, and loads nothing but its style and icon', async (path) => {
    const answer = await get(path, { Accept: browser });
    const page = await answer.text();
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(answer.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page).not.toMatch(/<script|<iframe|<form|\sstyle=|\son\w+=|javascript:/i);
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it('leaves the other answers as strict as they were', async () => {
    const { headers } = await api.send('/v1/things/t-1');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('comes to a page of another origin, too, as any answer', async () => {
    const answer = await get('/openapi.json', { Origin: 'https://app.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });
});
