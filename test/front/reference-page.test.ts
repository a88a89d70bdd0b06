import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type OpenApiDocument, operationsIn } from '../../src/front/document.ts';
import { html, prose } from '../../src/front/html.ts';
import { referencePage } from '../../src/front/reference-page.ts';
import { indexOf, indexPage } from '../../src/front/service-index.ts';
import { renderOpenApi } from '../../src/operations/openapi.ts';
import { problems } from '../../src/problem-table.ts';
import { probe } from '../harness/thing-operations.ts';

const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as OpenApiDocument;
const page = referencePage(document, problems);
const idsIn = (text: string) => [...text.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id);
const sectionOf = (id: string) => page.slice(page.indexOf(` id="${id}"`)).split('</article>')[0] ?? '';

describe('the reference', () => {
  it('has every operation, with its address and permission', () => {
    for (const { operation, path } of operationsIn(document)) {
      const section = sectionOf(operation.operationId);
      expect(section).toContain(`<code>${path}</code>`);
      expect(section).toContain(`<code>${operation['x-permission']}</code>`);
    }
  });

  it('has every schema and every problem', () => {
    const ids = idsIn(page);
    expect(ids).toEqual(
      expect.arrayContaining(Object.keys(document.components.schemas).map((name) => `schema-${name}`)),
    );
    expect(ids).toEqual(expect.arrayContaining(Object.keys(problems).map((code) => `problem-${code}`)));
  });

  it('has no id twice, and every link within it leads somewhere', () => {
    const ids = idsIn(page);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...page.matchAll(/href="#([^"]*)"/g)].map(([, target = '']) => decodeURIComponent(target));
    expect(targets.length).toBeGreaterThan(500);
    expect([...new Set(targets)].filter((target) => !ids.includes(target))).toEqual([]);
  });

  it('shows the fields of a body, what was recorded, and a command to paste', () => {
    const start = sectionOf('startTransfer');
    expect(start).toContain('Answer, recorded: completed');
    expect(start).toContain('-X POST &quot;$PORTICO/v1/transfers&quot;');
    expect(start).toContain('&quot;transferId&quot;: &quot;invoice-1042&quot;');
    expect(start).toContain('href="#problem-idempotency-mismatch"');
    expect(sectionOf('schema-TransferInput')).toMatch(/<code>transferId<\/code>\s*<span class="needed">required/);
  });

  it('names for a screen reader what each part is', () => {
    expect(page).toMatch(/<html lang="en">/);
    expect(page).toContain('<nav class="contents" aria-label="Contents">');
    expect(page.match(/<h1/g)).toHaveLength(1);
    expect(page.match(/<th(?! scope="col")[ >]/g)).toBeNull();
    expect(page.indexOf('class="skip"')).toBeLessThan(page.indexOf('<nav'));
  });
});

describe('a hostile text', () => {
  const hostile = `</code></pre><script>alert(1)</script><img src=x onerror="alert('2')">\`&lt;"'`;
  const operations = [
    probe({
      operationId: `get"><script>`,
      path: '/v1/things',
      summary: hostile,
      tag: `things"onclick='x'`,
      permission: `things:"<read>`,
      handle: () => Promise.resolve({ status: 200, body: {} }),
      query: z.object({ [hostile]: z.string().describe(hostile) }),
      responses: {
        200: { description: hostile, body: z.object({ [hostile]: z.enum([hostile]).default(hostile) }) },
      },
    }),
  ];

  it('stays a text in the reference and in the index', () => {
    const of = `GET /v1/things`;
    const examples = {
      exchanges: { [of]: { [hostile]: { status: 200, answer: { [hostile]: hostile } } } },
      problems: {},
    };
    const rendered = renderOpenApi(operations, hostile, examples) as unknown as OpenApiDocument;
    const reference = referencePage(rendered, { [hostile]: { ...problems.internal, title: hostile } });
    for (const text of [reference, indexPage(indexOf(operations, hostile, rendered.tags))]) {
      const [, content = ''] = text.split('<body>');
      const tags = [...content.matchAll(/<\/?([^\s>]*)/g)].map(([, tag = '']) => tag);
      expect(tags.filter((tag) => !/^[a-z]+[1-4]?$/.test(tag))).toEqual([]);
      expect(tags).not.toContain('script');
      expect(tags).not.toContain('img');
      // Every attribute is one of ours.
      const attributes = [...content.matchAll(/<[a-z]+[1-4]?((?:\s[a-z-]+="[^"<>]*")*)\s*>/g)].length;
      expect(attributes).toBe(content.match(/<[a-z]/g)?.length);
    }
  });

  it('is escaped wherever it stands', () => {
    expect(html`<a title="${hostile}">${[hostile, 1, undefined]}</a>`.markup).toBe(
      `<a title="${escaped}">${escaped}1</a>`,
    );
    expect(prose('a `b<c>` d').markup).toBe('a <code>b&lt;c&gt;</code> d');
  });

  const escaped =
    '&lt;/code&gt;&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;2&#39;)&quot;&gt;`&amp;lt;&quot;&#39;';
});
