import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import { renderOpenApi } from '../../src/operations/openapi.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { probe } from '../harness/thing-operations.ts';

const handle = () => Promise.reject(new Error('nobody asks'));

/** What the document says about one operation, references to header components resolved. */
function documented(operation: Partial<Operation>) {
  const described = probe({ operationId: 'describe', path: '/v1/things', handle, ...operation });
  const { paths, components } = renderOpenApi([described], '1.0.0') as unknown as {
    paths: Record<string, Record<string, Described>>;
    components: { headers: Record<string, { description: string; required?: boolean }> };
  };
  const { parameters = [], responses } = paths['/v1/things']?.[described.method.toLowerCase()] ?? { responses: {} };
  const headersOf = (status: number) =>
    Object.entries(responses[String(status)]?.headers ?? {}).map(([name, { $ref: reference }]) => ({
      name,
      ...components.headers[reference.replace('#/components/headers/', '')],
    }));
  return { parameters: parameters.filter((parameter) => parameter.in === 'header'), responses, headersOf };
}
interface Described {
  parameters?: { in: string; name: string; required?: boolean; schema: object }[];
  responses: Record<string, { description: string; content?: object; headers?: Record<string, { $ref: string }> }>;
}

describe('what a request may carry', () => {
  it('is listed where it is understood, and nowhere else', () => {
    const names = (operation: Partial<Operation>) =>
      documented(operation).parameters.map(({ name, required = false }) => [name, required]);
    expect(names({})).toEqual([]);
    expect(
      names({ understands: ['prefer-wait', 'idempotency-key', 'if-match', 'if-none-match', 'last-event-id'] }),
    ).toEqual([
      ['Prefer', false],
      ['Idempotency-Key', false],
      ['If-Match', false],
      ['If-None-Match', false],
      ['Last-Event-ID', false],
    ]);
    expect(names({ requires: ['idempotency-key'] })).toEqual([['Idempotency-Key', true]]);
  });
});

describe('an answer', () => {
  it('that is a stream has its media type', () => {
    const { responses } = documented({ responses: { 200: { description: 'Events.', stream: 'text/event-stream' } } });
    expect(responses['200']).toEqual({
      description: 'Events.',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    });
  });

  it('without content has none', () => {
    const { responses } = documented({ method: 'DELETE', responses: { 204: { description: 'Gone.' } } });
    expect(responses['204']).toEqual({ description: 'Gone.' });
    expect(responses['504']?.description).toContain('`outcome-unknown`');
  });

  it('may carry an entity tag', () => {
    const { headersOf } = documented({
      responses: { 200: { description: 'Anything.', body: z.object({}), headers: ['ETag'] } },
    });
    expect(headersOf(200)).toMatchObject([{ name: 'ETag', required: true }]);
  });
});

const fieldsOf = (schema: z.ZodType | undefined): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

describe('a list', () => {
  const lists = operations.filter(
    ({ method, responses }) => method === 'GET' && fieldsOf(responses[200]?.body).includes('items'),
  );

  it.each(lists)('$operationId answers `cursor` as the parameter that it takes', ({ query, responses }) => {
    const isPaged = Object.keys(query?.shape ?? {}).includes('limit');
    const carriers = [Object.keys(query?.shape ?? {}), fieldsOf(responses[200]?.body)];
    for (const names of carriers) expect(names.includes('cursor')).toBe(isPaged);
    if (isPaged) expect(carriers.flat().filter((name) => ['after', 'next', 'page'].includes(name))).toEqual([]);
  });

  it('is what several operations are', () => {
    expect(lists.length).toBeGreaterThan(7);
  });
});

describe('what can be away', () => {
  const codes = (operation: Partial<Operation>) =>
    Object.values(documented(operation).responses)
      .flatMap(({ description }) => [...description.matchAll(/`([a-z-]+)`:/g)].map(([, code]) => code))
      .filter((code) => /^(orchestration|database)-|^outcome/.test(code ?? ''))
      .sort();

  it('is the database for a resource, and the engine for a process', () => {
    expect(codes({})).toEqual(['database-unavailable']);
    expect(codes({ process: 'things' })).toEqual(['orchestration-timeout', 'orchestration-unavailable']);
  });

  it('is what the operation says otherwise', () => {
    expect(codes({ dependsOn: ['orchestration'] })).toEqual(['orchestration-timeout', 'orchestration-unavailable']);
    expect(codes({ method: 'POST', dependsOn: ['orchestration', 'database'] })).toEqual([
      'database-unavailable',
      'orchestration-unavailable',
      'outcome-unknown',
    ]);
  });

  it('is the engine for all that is asked of one schedule', () => {
    const ofSchedules = operations.filter(({ path }) => path.startsWith('/v1/schedules'));
    expect(ofSchedules.length).toBeGreaterThan(8);
    for (const operation of ofSchedules)
      expect(codes({ ...operation, path: '/v1/things' })).toContain('orchestration-unavailable');
  });
});
