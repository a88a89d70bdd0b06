import { describe, expect, it } from 'vitest';
import { findBreakingChanges } from '../../scripts/released/breaking-changes.ts';
import type { Contract, OperationContract, ParameterContract, Schema } from '../../scripts/released/contract.ts';
import { reportOn } from '../../scripts/released/report.ts';
import { contractOf } from '../../scripts/released/strip.ts';

interface Parts {
  readonly operation?: Partial<OperationContract>;
  readonly parameters?: readonly ParameterContract[];
  readonly body?: Schema;
  readonly answer?: Schema;
  readonly codes?: readonly string[];
  readonly all?: readonly string[];
  readonly schemas?: Readonly<Record<string, Schema>>;
}

const json = (schema: Schema) => ({ content: { 'application/json': { schema } } });
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const [text, integer, number] = [{ type: 'string' }, { type: 'integer' }, { type: 'number' }];
const named = (name: string, more: Readonly<Record<string, Schema>> = {}) =>
  object({ kind: { type: 'string', const: name }, ...more }, ['kind', ...Object.keys(more)]);

/** One operation, `POST /things`. */
const documentOf = ({
  operation,
  parameters,
  body = text,
  answer = text,
  codes = ['lost'],
  all,
  schemas,
}: Parts): Contract => ({
  paths: {
    '/things': {
      post: {
        operationId: 'startThing',
        'x-permission': 'things:start',
        parameters: parameters ?? [],
        requestBody: json(body),
        responses: { '200': json(answer), '404': { 'x-problem-codes': codes } },
        ...operation,
      },
    },
  },
  components: { schemas: { Problem: object({ code: { type: 'string', enum: all ?? ['lost'] } }), ...schemas } },
});

const rulesBetween = (before: Contract, now: Contract) =>
  findBreakingChanges(before, now).map(({ rule, place }) => `${rule}: ${place}`);

const parameter = (name: string, required: boolean, schema: Schema = text): ParameterContract => ({
  in: 'query',
  name,
  required,
  schema,
});
const header = (required: boolean) => ({ '200': { ...json(text), headers: { ETag: { required, schema: text } } } });
const post = 'POST /things';
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const endless = (value: Schema): Parts['schemas'] => ({ Node: object({ value, next: ref('Node') }) });

/** Each turn from the first to the second breaks; the way back does not, unless a rule is named for it too. */
const breaks: readonly [rule: string, place: string, before: Parts, now: Parts, back?: string][] = [
  ['operation-id-changed', post, {}, { operation: { operationId: 'beginThing' } }, 'operation-id-changed'],
  ['permission-changed', post, {}, { operation: { 'x-permission': 'things:begin' } }, 'permission-changed'],
  ['parameter-required', post, {}, { parameters: [parameter('a', true)] }, 'parameter-removed'],
  ['parameter-required', post, { parameters: [parameter('a', false)] }, { parameters: [parameter('a', true)] }],
  ['parameter-removed', post, { parameters: [parameter('a', false)] }, {}],
  [
    'enum-narrowed',
    `${post} query a`,
    { parameters: [parameter('a', false, { enum: ['x', 'y'] })] },
    { parameters: [parameter('a', false, { enum: ['x'] })] },
  ],
  ['body-required', post, {}, { operation: { requestBody: { required: true, ...json(text) } } }],
  ['media-type-removed', `${post} body`, {}, { operation: { requestBody: { content: {} } } }],
  [
    'status-removed',
    post,
    {},
    { operation: { responses: { '200': json(text), '409': { 'x-problem-codes': ['lost'] } } } },
    'status-removed',
  ],
  [
    'media-type-removed',
    `${post} 200`,
    {},
    { operation: { responses: { '200': {}, '404': { 'x-problem-codes': ['lost'] } } } },
  ],
  [
    'header-removed',
    `${post} 200`,
    { operation: { responses: header(true) } },
    { operation: { responses: { '200': json(text) } } },
  ],
  [
    'header-optional',
    `${post} 200`,
    { operation: { responses: header(true) } },
    { operation: { responses: header(false) } },
  ],
  ['problem-code-removed', post, { codes: ['lost', 'gone'], all: ['lost', 'gone'] }, { all: ['lost', 'gone'] }],
  ['problem-code-removed', 'problems', { all: ['lost', 'never'] }, {}],
  ['property-removed', `${post} 200 a`, { answer: object({ a: text }) }, { answer: object({}) }],
  [
    'property-removed',
    `${post} 200 a.b`,
    { answer: object({ a: object({ b: text }) }) },
    { answer: object({ a: object({}) }) },
  ],
  ['property-optional', `${post} 200 a`, { answer: object({ a: text }, ['a']) }, { answer: object({ a: text }) }],
  ['property-required', `${post} body a`, { body: object({ a: text }) }, { body: object({ a: text }, ['a']) }],
  [
    'property-required',
    `${post} body a`,
    { body: object({}) },
    { body: object({ a: text }, ['a']) },
    'property-refused',
  ],
  ['property-refused', `${post} body a`, { body: object({ a: text }) }, { body: object({}) }],
  ['properties-refused', `${post} body`, { body: { type: 'object' } }, { body: object({}) }],
  ['type-changed', `${post} body`, { body: number }, { body: integer }],
  ['type-changed', `${post} body`, { body: {} }, { body: text }],
  ['type-changed', `${post} 200`, { answer: integer }, { answer: number }],
  ['type-changed', `${post} 200`, { answer: text }, { answer: { type: ['string', 'null'] } }],
  ['enum-narrowed', `${post} body`, { body: { enum: ['a', 'b'] } }, { body: { enum: ['a'] } }],
  ['enum-narrowed', `${post} body`, { body: text }, { body: { type: 'string', const: 'a' } }],
  [
    'enum-widened',
    `${post} 200`,
    { answer: { enum: ['a'], 'x-closed': true } },
    { answer: { enum: ['a', 'b'], 'x-closed': true } },
  ],
  ['limit-narrowed', `${post} body`, { body: text }, { body: { type: 'string', pattern: '^a$' } }],
  ['limit-narrowed', `${post} body`, { body: text }, { body: { type: 'string', format: 'uuid' } }],
  [
    'limit-narrowed',
    `${post} body`,
    { body: { type: 'string', maxLength: 9 } },
    { body: { type: 'string', maxLength: 8 } },
  ],
  [
    'limit-narrowed',
    `${post} body`,
    { body: { type: 'integer', minimum: 1 } },
    { body: { type: 'integer', minimum: 2 } },
  ],
  [
    'limit-narrowed',
    `${post} body[]`,
    { body: { items: text } },
    { body: { items: { type: 'string', maxLength: 1 } } },
  ],
  [
    'default-changed',
    `${post} body`,
    { body: { type: 'integer', default: 1 } },
    { body: { type: 'integer', default: 2 } },
    'default-changed',
  ],
  [
    'alternative-removed',
    `${post} body`,
    { body: { oneOf: [named('a'), named('b')] } },
    { body: { oneOf: [named('a')] } },
  ],
  [
    'property-required',
    `${post} body c`,
    { body: { oneOf: [named('a'), named('b')] } },
    { body: { oneOf: [named('a', { c: text }), named('b')] } },
    'property-refused',
  ],
  [
    'property-removed',
    `${post} 200 c`,
    { answer: { oneOf: [named('a', { c: text }), named('b')] } },
    { answer: { oneOf: [named('a'), named('b')] } },
  ],
  [
    'alternative-added',
    `${post} 200`,
    { answer: { oneOf: [text, integer], 'x-closed': true } },
    { answer: { oneOf: [text, integer, { type: 'null' }], 'x-closed': true } },
  ],
  ['alternative-added', `${post} 200`, { answer: text }, { answer: { anyOf: [text, { type: 'null' }] } }],
  [
    'type-changed',
    `${post} body value`,
    { body: ref('Node'), schemas: endless(number) },
    { body: ref('Node'), schemas: endless(integer) },
  ],
  ['unknown-keyword', `${post} body`, {}, { body: { type: 'string', not: text } }, 'unknown-keyword'],
];

describe('a breaking change', () => {
  it.each(breaks)('of the rule %s is found at %s', (rule, place, before, now) => {
    expect(rulesBetween(documentOf(before), documentOf(now))).toEqual([`${rule}: ${place}`]);
  });

  it.each(breaks)('of the rule %s at %s is one in that direction alone', (_rule, _place, before, now, back) => {
    const rules = findBreakingChanges(documentOf(now), documentOf(before)).map(({ rule }) => rule);
    expect(rules).toEqual(back === undefined ? [] : [back]);
  });

  it('is a path or an operation that is gone', () => {
    const document = documentOf({});
    expect(rulesBetween(document, { ...document, paths: {} })).toEqual(['path-removed: /things']);
    expect(rulesBetween(document, { ...document, paths: { '/things': {} } })).toEqual([
      'operation-removed: POST /things',
    ]);
    expect(rulesBetween({ ...document, paths: {} }, document)).toEqual([]);
  });

  it('is a part behind a reference, which nobody follows', () => {
    const hidden = documentOf({ parameters: [{ $ref: '#/components/parameters/a' } as never] });
    expect(rulesBetween(hidden, hidden)).toEqual([`unknown-keyword: ${post}`]);
  });

  it('is told with its place and its rule, and with the way to mean it', () => {
    const [before, now] = [documentOf({ body: object({}) }), documentOf({ body: object({ a: text }, ['a']) })];
    const [first, ...lines] = reportOn(findBreakingChanges(before, now)).split('\n');
    expect(first).toBe('POST /things body a: the body must have it now (property-required)');
    expect(lines.join(' ')).toMatch(/in 1 place\..*docs\/upgrade\.md.*`npm run release:openapi`/);
  });

  it('says what has changed', () => {
    const [finding] = findBreakingChanges(
      documentOf({ body: { enum: ['a', 'b'] } }),
      documentOf({ body: { enum: ['a'] } }),
    );
    expect(finding?.message).toBe('no longer accepted: b');
  });
});

describe('no breaking change', () => {
  it.each<[string, Parts, Parts]>([
    ['a new value in an answer that is not closed', { answer: { enum: ['a'] } }, { answer: { enum: ['a', 'b'] } }],
    [
      'a new alternative in an answer',
      { answer: { oneOf: [named('a'), named('b')] } },
      { answer: { oneOf: [named('a'), named('b'), named('c')] } },
    ],
    [
      'another order of alternatives',
      { body: { oneOf: [named('a'), named('b')] } },
      { body: { oneOf: [named('b'), named('a')] } },
    ],
    ['another name of a schema', { body: ref('A'), schemas: { A: text } }, { body: ref('B'), schemas: { B: text } }],
    [
      'an optional field more',
      { body: object({}), answer: object({}) },
      { body: object({ a: text }), answer: object({ a: text }) },
    ],
    [
      'another limit of an answer',
      { answer: { type: 'string', maxLength: 1 } },
      { answer: { type: 'string', pattern: 'a' } },
    ],
  ])('is %s', (_, before, now) => {
    expect(rulesBetween(documentOf(before), documentOf(now))).toEqual([]);
  });
});

describe('the released contract', () => {
  it('has no prose and no examples, and every name', () => {
    const schema = {
      description: 'x',
      default: { description: 'kept' },
      properties: { description: { type: 'string', description: 'x' } },
    };
    const document = {
      openapi: '3.1.1',
      info: {},
      paths: {},
      components: { schemas: { examples: schema }, examples: {} },
    };
    expect(contractOf(document)).toEqual({
      openapi: '3.1.1',
      paths: {},
      components: {
        schemas: { examples: { default: { description: 'kept' }, properties: { description: { type: 'string' } } } },
        headers: undefined,
      },
    });
  });
});
