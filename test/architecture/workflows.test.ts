import { bundleWorkflowCode } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import * as workflows from '../../workflows/index.ts';

const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

describe('the workflow list', () => {
  const exported = Object.entries(workflows) as [string, unknown][];
  const definitions = exported.filter(
    (entry): entry is [string, { type: string; name: string }] => typeof entry[1] === 'object' && entry[1] !== null,
  );

  test('exports workflow functions, and update and query definitions, and nothing else', () => {
    const others = exported.filter(
      ([, value]) =>
        typeof value !== 'function' &&
        !['update', 'query'].includes((value as { type?: string } | null)?.type ?? 'something else'),
    );
    expect(others.map(([name]) => name)).toEqual([]);
  });

  test.each(definitions)('%s is defined under the name it is exported by', (name, definition) => {
    expect(definition.name).toBe(name);
  });

  test.each(catalog.map((definition) => [definition.name, definition] as const))(
    '%s finds its workflows, actions and views there',
    (_, { workflow, implementations, actions, views }) => {
      const names = [
        workflow,
        ...implementations.map((other) => other.workflow),
        ...Object.keys(actions),
        ...Object.keys(views),
      ];
      expect(names.filter((name) => !(name in workflows))).toEqual([]);
    },
  );
});

test('the bundle holds the workflows and the SDK, and no other code', async () => {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: silent,
  });
  const map = /sourceMappingURL=data:application\/json;charset=utf-8;base64,(\S+)/.exec(code)?.[1] ?? '';
  const { sources } = JSON.parse(Buffer.from(map, 'base64').toString()) as { sources: string[] };
  expect(sources.length).toBeGreaterThan(10);
  const packages = new Set(sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []));
  const allowed = [
    '@temporalio/common',
    '@temporalio/workflow',
    '@temporalio/worker',
    '@temporalio/proto',
    'nexus-rpc',
    'ms',
    'long',
    'protobufjs',
  ];
  expect([...packages].filter((name) => !allowed.includes(name) && !name.startsWith('@protobufjs/'))).toEqual([]);
  const own = sources.filter((source) => !source.includes('node_modules') && /\.ts$/.test(source));
  expect(own.length).toBeGreaterThan(1);
  expect(own.filter((source) => !source.includes('/workflows/'))).toEqual([]);
});
