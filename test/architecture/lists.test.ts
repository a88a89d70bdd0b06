import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createAdapters, grants } from '../../src/adapters/index.ts';
import { operations } from '../../src/operations/index.ts';
import type { Operation } from '../../src/operations/operation.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const filesWith = (folder: string, text: RegExp, { recursive = false } = {}) =>
  readdirSync(join(root, folder), { recursive, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && name !== 'index.ts' && text.test(read(folder, name)),
  );

/** A file that its folder's list does not import is code that nobody runs. */
const isListed = (folder: string) => (file: string) => read(folder, 'index.ts').includes(`'./${file}'`);

/** What the files of a folder export under such names. */
async function exportsOf(folder: string, name: RegExp): Promise<{ file: string; name: string; value: unknown }[]> {
  const files = filesWith(folder, new RegExp(`^export (function|const) ${name.source}\\b`, 'm'), { recursive: true });
  const found = await Promise.all(
    files.map(async (file) => {
      const module = (await import(join(root, folder, file))) as Record<string, unknown>;
      const named = Object.entries(module).filter(([exported]) => new RegExp(`^${name.source}$`).test(exported));
      return named.map(([exported, value]) => ({ file, name: exported, value }));
    }),
  );
  expect(found.flat().length).toBeGreaterThan(1);
  return found.flat();
}

// A factory only keeps what it is given, and takes its settings out.
const none = new Proxy({}, { get: () => () => ({}) }) as never;

describe('the literal lists', () => {
  it('the catalog lists every definition', () => {
    const definitions = filesWith('src/catalog', /=\s*defineProcess</);
    expect(definitions.length).toBeGreaterThan(1);
    expect(definitions.filter((file) => !isListed('src/catalog')(file))).toEqual([]);
  });

  it('the workflows list every file that takes an envelope', () => {
    const workflows = filesWith('workflows', /export (async function|const) \w+[^;]*\bEnvelope</);
    expect(workflows.length).toBeGreaterThan(1);
    expect(workflows.filter((file) => !isListed('workflows')(file))).toEqual([]);
  });

  it('the activities list every factory, and no name twice', async () => {
    const factories = await exportsOf('activities', /create\w+Activities/);
    const names = factories.map(({ value }) => Object.keys((value as (given: object) => object)(none)));
    expect(names.every((list) => list.length > 0)).toBe(true);
    expect(Object.keys(createActivities(none)).sort()).toEqual(names.flat().sort());
  });

  it('the adapters list every factory', async () => {
    const factories = await exportsOf('src/adapters', /create\w+/);
    const names = factories.map(({ name }) => name.replace('create', ''));
    const listed = Object.keys(createAdapters(none)).map((name) => name.charAt(0).toUpperCase() + name.slice(1));
    expect(listed.sort()).toEqual(names.sort());
  });

  it('the adapters list every grant, and no table twice', async () => {
    const tables = (await exportsOf('src/adapters', /\w+Grants/)).flatMap(({ value }) => Object.keys(value as object));
    expect(Object.keys(grants).sort()).toEqual(tables.sort());
  });

  it('the grants of the adapters name every table that migrations make', () => {
    const folder = 'src/database/migrations';
    const statements = readdirSync(join(root, folder)).map((file) => read(folder, file));
    const made = statements.flatMap((text) => [...text.matchAll(/^create table (\w+)/gm)].map(([, table]) => table));
    expect(Object.keys(grants).sort()).toEqual(made.sort());
  });

  it('the resources list every operation that is written by hand', async () => {
    const resources = await exportsOf('src/operations/resources', /\w+Operations/);
    const missing = resources.filter(
      ({ value }) => !(value as Operation[]).every((operation) => operations.includes(operation)),
    );
    expect(missing.map(({ file }) => file)).toEqual([]);
  });
});
