import { afterAll, describe, expect, it } from 'vitest';
import { serveFrontPage } from '../../src/http/front-page.ts';
import { operations } from '../../src/operations/index.ts';
import { startApp } from '../harness/app.ts';
import { browse, hasChromium } from '../harness/chromium.ts';

const api = await startApp({
  routes: (app) => {
    serveFrontPage(app, { readers: 'public', operations, version: '1.2.3' });
    const config = { operationId: 'getSpoilt', permission: 'public', cost: 'read' } as const;
    app.get('/spoilt', { config }, async (_request, reply) => {
      const page = await fetch(`${api.url}/docs`);
      reply.header('Content-Security-Policy', page.headers.get('content-security-policy'));
      return reply.type('text/html').send((await page.text()).replace(':root{', ':root {'));
    });
  },
});
afterAll(api.stop);

const linksIn = (dom: string) => [...dom.matchAll(/ href="([^"]*)"/g)].map(([, href = '']) => href);

describe.skipIf(!hasChromium)('in a browser', () => {
  it.each(['/', '/docs'])('%s is whole, keeps to its policy, and every link leads somewhere', async (path) => {
    const { dom, complaints } = await browse(api.url + path);
    expect(complaints).toEqual([]);
    expect(dom).toContain('<h1>Portico <small>');
    const links = [...new Set(linksIn(dom))].filter((href) => !href.startsWith('data:'));
    expect(links.length).toBeGreaterThan(10);
    const ids = new Set([...dom.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id));
    const within = links.filter((href) => href.startsWith('#'));
    expect(within.filter((href) => !ids.has(decodeURIComponent(href.slice(1))))).toEqual([]);
    const pages = new Map<string, string>();
    for (const href of links.filter((each) => !each.startsWith('#'))) {
      const [page = '', id] = href.split('#');
      if (!pages.has(page)) {
        const answer = await fetch(api.url + page);
        expect(answer.status).toBe(200);
        pages.set(page, await answer.text());
      }
      if (id !== undefined) expect(pages.get(page)).toContain(` id="${decodeURIComponent(id)}"`);
    }
  });

  it('a style that is not the one of the policy is told of', async () => {
    const { complaints } = await browse(`${api.url}/spoilt`);
    expect(complaints.join()).toMatch(/style.*Content Security Policy/s);
  });
});
