import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

const sourcesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.mjs'))
    .map((name) => join(folder, name));

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isTypeOnly: boolean;
}

/** What a file imports or re-exports; relative targets as paths from the top. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const dynamic = text.matchAll(/\bimport\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, target = '']) => ({ file, target, isTypeOnly: type !== undefined })),
    ...[...dynamic].map(([, target = '']) => ({ file, target, isTypeOnly: false })),
  ].map((found) => ({
    ...found,
    target: found.target.startsWith('.') ? relative(root, resolve(root, dirname(file), found.target)) : found.target,
  }));
}

const valueImports = (folders: string[]): Import[] =>
  folders
    .flatMap(sourcesIn)
    .flatMap(importsOf)
    .filter(({ isTypeOnly }) => !isTypeOnly);

const show = ({ file, target }: Import): string => `${file} imports ${target}`;

/** Which folders a folder may use values of, beside itself. */
const mayUse: Record<string, readonly string[]> = {
  'src/catalog': ['src/definition'],
  'src/definition': ['src/problems.ts'],
  'src/operations': ['src/catalog', 'src/definition', 'src/orchestration', 'src/problems.ts'],
  'src/http': [
    'src/operations',
    'src/tokens',
    'src/orchestration',
    'src/observability',
    'src/problems.ts',
    'src/json-text.ts',
  ],
  'src/tokens': ['src/config', 'src/problems.ts', 'src/json-text.ts'],
  'src/config': [],
  'src/orchestration': ['src/definition', 'src/problems.ts'],
  'src/worker': ['src/orchestration', 'src/definition'],
  'src/adapters': ['src/problems.ts', 'src/database'],
  'src/database': ['src/problems.ts'],
  'src/observability': ['src/problems.ts'],
  activities: ['src/problems.ts', 'src/catalog'],
  workflows: [],
};

describe('the folders of the source', () => {
  it.each(Object.entries(mayUse))('%s uses only what it may', (folder, allowed) => {
    const wrong = valueImports([folder]).filter(
      ({ target }) =>
        /^(src|workflows|activities|local|bench|scripts|test)\//.test(target) &&
        ![folder, 'src/timing', ...allowed].some((place) => target === place || target.startsWith(`${place}/`)),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('only orchestration, worker and scripts talk to Temporal', () => {
    const wrong = valueImports(['src', 'activities', 'workflows']).filter(
      ({ file, target }) =>
        /^@temporalio\/(client|worker|proto|core-bridge|testing|envconfig)/.test(target) &&
        !/^src\/(orchestration|worker)\//.test(file),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('the HTTP side never loads the native addon', () => {
    const seen = new Set<string>();
    const reach = (file: string): string[] => {
      if (seen.has(file)) return [];
      seen.add(file);
      return importsOf(file)
        .filter(({ isTypeOnly }) => !isTypeOnly)
        .flatMap((found) =>
          found.target.startsWith('@temporalio/worker')
            ? [show(found)]
            : found.target.endsWith('.ts')
              ? reach(found.target)
              : [],
        );
    };
    const files = ['src/http', 'src/operations', 'src/tokens', 'src/orchestration'].flatMap(sourcesIn);
    expect(files.flatMap(reach)).toEqual([]);
  });

  it('workflows import values only from the sandbox and each other', () => {
    const wrong = valueImports(['workflows']).filter(
      ({ target }) => !/^@temporalio\/(workflow|common)$/.test(target) && !target.startsWith('workflows/'),
    );
    expect(wrong.map(show)).toEqual([]);
  });
});

describe('words', () => {
  const names = ['transfers', 'user-grants', 'userGrants'];

  it('no file outside the definitions asks which process it is looking at', () => {
    const wrong = sourcesIn('src')
      .filter((file) => !file.startsWith('src/catalog/'))
      .flatMap((file) =>
        readFileSync(join(root, file), 'utf8')
          .split('\n')
          .map((line, index) => ({ line, where: `${file}:${index + 1}` }))
          .filter(({ line }) => !/^\s*(\*|\/\*\*?|\/\/)/.test(line))
          .filter(
            ({ line }) =>
              names.some((name) => line.includes(`'${name}'`)) || /\b(definition|process)\.name\s*[!=]==/.test(line),
          )
          .map(({ where, line }) => `${where} ${line.trim()}`),
      );
    expect(wrong).toEqual([]);
  });

  it('only the configuration reads the environment', () => {
    const wrong = ['src', 'workflows', 'activities']
      .flatMap(sourcesIn)
      .filter((file) => !file.startsWith('src/config/'))
      .filter((file) => /\bprocess\.env\b/.test(readFileSync(join(root, file), 'utf8')));
    expect(wrong).toEqual([]);
  });
});
