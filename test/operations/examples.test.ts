import { describe, expect, it } from 'vitest';
import { readExamples } from '../../scripts/examples.ts';
import { operations } from '../../src/operations/index.ts';
import { renderOpenApi } from '../../src/operations/openapi.ts';
import { exampleKeyOf, type Exchange } from '../../src/operations/openapi-examples.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { problems } from '../../src/problem-table.ts';
import { problemMediaType } from '../../src/problems.ts';
import { recordThem } from '../fixtures/examples/keeping.ts';
import { checkAgainstOpenApi } from '../harness/openapi.ts';

const examples = readExamples();
const exchangesOf = (operation: Operation): [string, Exchange][] =>
  Object.entries(examples.exchanges[exampleKeyOf(operation)] ?? {});

describe('each operation', () => {
  it.each(operations.map((operation) => [exampleKeyOf(operation), operation] as const))(
    '%s has examples that fit its schemas',
    (key, operation) => {
      const exchanges = exchangesOf(operation);
      const hint = `${key} has none: let a story of test/fixtures/examples tell it, then \`npm run record:examples\``;
      expect(exchanges.length, hint).toBeGreaterThan(0);
      if (operation.body !== undefined) {
        const sent = exchanges.filter(([, { request }]) => request !== undefined);
        expect(sent.length, `${key} has no example of a request body`).toBeGreaterThan(0);
      }
      for (const [name, { type, request, status, answer }] of exchanges) {
        expect(status, `${key}, ${name}`).toBeLessThan(300);
        checkAgainstOpenApi({
          method: operation.method,
          path: operation.path,
          requestType: type,
          requestBody: request,
          status,
          contentType: answer === undefined ? '' : 'application/json',
          headers: undefined,
          body: answer,
        });
      }
    },
  );

  it('alone has examples', () => {
    const served = new Set(operations.map(exampleKeyOf));
    expect(
      Object.keys(examples.exchanges).filter((key) => !served.has(key)),
      recordThem,
    ).toEqual([]);
  });
});

describe('each problem', () => {
  it('has an example, and nothing else has', () => {
    expect(Object.keys(examples.problems).sort(), recordThem).toEqual(Object.keys(problems).sort());
  });

  it('is shown by an operation that can have it, or else by the schema', () => {
    const { paths, components } = renderOpenApi(operations, '1.0.0', examples);
    const shown = Object.values(paths ?? {})
      .flatMap((path) => Object.values(path as Record<string, Described>))
      .flatMap(({ responses }) => Object.values(responses))
      .flatMap(({ content }) => Object.keys(content?.[problemMediaType]?.examples ?? {}));
    expect([...new Set([...shown, 'method-not-allowed', 'held-back'])].sort()).toEqual(Object.keys(problems).sort());
    expect(components?.schemas?.['Problem']).toMatchObject({
      examples: [{ code: 'held-back' }, { code: 'method-not-allowed' }],
    });
  });
});

interface Described {
  readonly responses: Record<string, { readonly content?: Record<string, { readonly examples?: object }> }>;
}

it('no example shows a secret, an address or a name of the run that recorded it', () => {
  const text = JSON.stringify(examples);
  expect(text).not.toMatch(/127\.0\.0\.1|localhost|portico-development|tenant-/);
  const secrets = new Set(text.match(/whsec_[\w+/=]+/g));
  expect([...secrets].map((secret) => Buffer.from(secret.slice(6), 'base64').toString())).toEqual([
    'An example of a secret: 32 bytes',
  ]);
});
