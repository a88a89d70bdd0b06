import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import * as workflows from '../../workflows/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

it('the workflow list exports workflow functions and nothing else', () => {
  const others = Object.entries(workflows as Record<string, unknown>).filter(
    ([, value]) => typeof value !== 'function',
  );
  expect(others.map(([name]) => name)).toEqual([]);
});

describe.each(catalog.map((definition) => [definition.name, definition] as const))('%s', (name, definition) => {
  it('finds its implementations in the workflow list', () => {
    const implementations = [definition.workflow, ...definition.implementations.map(({ workflow }) => workflow)];
    expect(implementations.filter((implementation) => !(implementation in workflows))).toEqual([]);
  });

  it('finds each action and view in its workflow file, defined under the name it is exported by', async () => {
    const file = (await import(`../../workflows/${name}.ts`)) as Record<string, { type?: string; name?: string }>;
    const declared = [
      ...Object.keys(definition.actions).map((action) => ['update', action]),
      ...Object.keys(definition.views).map((view) => ['query', view]),
    ];
    expect(declared.map(([, verb = '']) => [file[verb]?.type, file[verb]?.name])).toEqual(declared);
  });
});

describe('the lint of workflows', () => {
  const messagesOf = async (text: string): Promise<string[]> => {
    const [result] = await new ESLint({ cwd: root }).lintText(text, {
      filePath: join(root, 'workflows/coming-of-age.ts'),
    });
    return (result?.messages ?? []).map(({ ruleId }) => ruleId ?? '');
  };

  it.each([
    ['no-restricted-globals', "export const zone = new Intl.DateTimeFormat('de');\n"],
    ['no-restricted-globals', 'export const now = (): unknown => Temporal.Now.instant();\n'],
    ['no-restricted-properties', "export const zone = new globalThis.Intl.DateTimeFormat('de');\n"],
    ['no-restricted-properties', 'export const text = (date: Date): string => date.toLocaleString();\n'],
    ['no-restricted-properties', 'export const hour = (date: Date): number => date.getHours();\n'],
    ['@typescript-eslint/no-restricted-imports', "export { Temporal } from 'temporal-polyfill';\n"],
  ])('refuses zones and languages: %s in %s', async (rule, text) => {
    expect(await messagesOf(text)).toContain(rule);
  });

  it('takes instants', async () => {
    expect(await messagesOf('export const text = (date: Date): string => date.toISOString();\n')).toEqual([]);
  });
});

it('the bundle holds the workflows and the SDK, and no other code', async () => {
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
