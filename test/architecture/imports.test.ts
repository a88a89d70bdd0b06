import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';

const root = resolve(import.meta.dirname, '../..');

const sourcesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') || name.endsWith('.mjs'))
    .map((name) => join(folder, name));

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isTypeOnly: boolean;
  readonly isDynamic: boolean;
}

/** What a file imports or re-exports; relative targets as paths from the top. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
  const dynamic = text.matchAll(/\bimport\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, target = '']) => ({
      file,
      target,
      isTypeOnly: type !== undefined,
      isDynamic: false,
    })),
    ...[...dynamic].map(([, target = '']) => ({ file, target, isTypeOnly: false, isDynamic: true })),
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

/** The rooms whose values a room may use, beside its own. ESLint holds what only one rule of its own can say. */
const allowedRooms: Record<string, readonly string[]> = {
  // Kinds of settings are a vocabulary: they read no environment.
  'src/catalog': ['src/definition', 'src/config/kinds.ts', 'src/problems.ts'],
  'src/definition': [
    'src/problems.ts',
    'src/config/process-settings.ts',
    'src/config/settings.ts',
    'src/config/settings-owners.ts',
  ],
  'src/operations': [
    'src/catalog',
    'src/config/schedule-settings.ts',
    'src/definition',
    'src/orchestration',
    'src/problem-table.ts',
    'src/problems.ts',
  ],
  // What it says about itself, as pages: it knows no request.
  'src/front': ['src/problem-table.ts'],
  'src/http': [
    'src/front',
    'src/operations',
    'src/tokens',
    'src/orchestration',
    'src/observability',
    'src/problems.ts',
    'src/json-text.ts',
  ],
  'src/overload': ['src/problems.ts'],
  'src/tokens': ['src/config', 'src/problems.ts', 'src/json-text.ts'],
  'src/config': [],
  'src/orchestration': ['src/definition', 'src/problem-table.ts', 'src/problems.ts'],
  'src/worker': ['src/orchestration', 'src/definition', 'src/young-generation.ts'],
  // An adapter is given its settings: the list alone knows whose they are.
  'src/adapters': ['src/problems.ts', 'src/database'],
  'src/database': ['src/problems.ts'],
  'src/observability': ['src/problems.ts'],
  activities: ['src/problems.ts', 'src/catalog', 'src/definition', 'src/orchestration/identity.ts'],
  workflows: [],
  'src/program': [],
  // Beside any service: nothing of Portico but the client.
  relay: ['client'],
};

describe('imports', () => {
  it.each(Object.entries(allowedRooms))('%s uses only what it may', (room, allowed) => {
    const wrong = valueImports([room]).filter(
      ({ file, target }) =>
        /^(src|workflows|activities|local|bench|scripts|test)\//.test(target) &&
        !(file === 'src/adapters/index.ts' && /^src\/(catalog|config)\//.test(target)) &&
        ![room, 'src/timing', ...allowed].some((place) => target === place || target.startsWith(`${place}/`)),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('nothing of Portico knows of npm start or of the relay, not even a type', () => {
    const wrong = ['src', 'activities', 'workflows'].flatMap(sourcesIn).flatMap(importsOf);
    expect(wrong.filter(({ target }) => /^(local|relay)\//.test(target)).map(show)).toEqual([]);
  });

  it('the relay uses nothing but the client, three packages and Node.js', () => {
    const wrong = sourcesIn('relay').flatMap(importsOf);
    expect(wrong.length).toBeGreaterThan(10);
    expect(
      wrong.filter(({ target }) => !/^(relay\/|client\/|node:|(pg|pino|prom-client)$)/.test(target)).map(show),
    ).toEqual([]);
  });

  it('the client uses nothing but itself, so that it runs wherever it is installed', () => {
    const imports = sourcesIn('client/src').flatMap(importsOf);
    expect(imports.length).toBeGreaterThan(10);
    expect(imports.filter(({ target }) => !target.startsWith('client/src/')).map(show)).toEqual([]);
  });

  it('a process that only serves HTTP never loads the native addon', () => {
    const seen = new Set<string>();
    const reach = (file: string): string[] => {
      if (seen.has(file)) return [];
      seen.add(file);
      return (
        importsOf(file)
          .filter(({ isTypeOnly }) => !isTypeOnly)
          // A process with workers loads them when it starts.
          .filter(({ isDynamic, target }) => !(isDynamic && target === 'src/worker-role.ts'))
          .flatMap((found) =>
            found.target.startsWith('@temporalio/worker')
              ? [show(found)]
              : found.target.endsWith('.ts')
                ? reach(found.target)
                : [],
          )
      );
    };
    const files = ['src/http', 'src/operations', 'src/tokens', 'src/orchestration'].flatMap(sourcesIn);
    expect(['src/main.ts', ...files].flatMap(reach)).toEqual([]);
    expect([...seen].filter((file) => file === 'src/api-role.ts' || file === 'src/worker-role.ts')).toEqual([
      'src/api-role.ts',
    ]);
  });
});

describe('circles', () => {
  const imports = ['src', 'activities', 'workflows'].flatMap(sourcesIn).flatMap(importsOf);

  /** The files that a file reaches over these imports, itself only where it stands in a circle. */
  function reachedFrom(file: string, over: readonly Import[]): Set<string> {
    const reached = new Set<string>();
    const follow = (from: string): void => {
      for (const { target } of over.filter((found) => found.file === from && !reached.has(found.target))) {
        reached.add(target);
        follow(target);
      }
    };
    follow(file);
    return reached;
  }

  const inCircles = (over: readonly Import[]): string[] =>
    [...new Set(over.map(({ file }) => file))].filter((file) => reachedFrom(file, over).has(file));

  it('of values there are none', () => {
    expect(inCircles(imports.filter(({ isTypeOnly }) => !isTypeOnly))).toEqual([]);
  });

  it('of types there is the one of a process: its definition, its workflow, its activities', () => {
    const files = inCircles(imports);
    expect(files.length).toBeGreaterThan(1);
    const ofProcess = /^(src\/catalog|workflows|activities)\/([a-z-]+)(\/[a-z-]+)?\.ts$/;
    const strange = files.filter(
      (file) =>
        !ofProcess.test(file) ||
        [...reachedFrom(file, imports)].some(
          (other) => files.includes(other) && ofProcess.exec(other)?.[2] !== ofProcess.exec(file)?.[2],
        ),
    );
    expect(strange).toEqual([]);
  });
});

describe('words', () => {
  const names = catalog.flatMap(({ name, workflow }) => [name, workflow]);

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
});
