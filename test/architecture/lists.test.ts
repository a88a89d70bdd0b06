import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const filesWith = (folder: string, text: RegExp) =>
  readdirSync(join(root, folder)).filter(
    (name) => name.endsWith('.ts') && name !== 'index.ts' && text.test(read(folder, name)),
  );

/** A file that its folder's list does not import is code that nobody runs. */
const isListed = (folder: string) => (file: string) => read(folder, 'index.ts').includes(`'./${file}'`);

describe('the three lists', () => {
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
    const factories = filesWith('activities', /export (function|const) create\w+Activities\b/);
    expect(factories.length).toBeGreaterThan(1);
    // A factory only keeps its adapters; nothing is called here.
    const none = new Proxy({}, { get: () => ({}) }) as Parameters<typeof createActivities>[0];
    const names = await Promise.all(
      factories.map(async (file) => {
        const module = (await import(join(root, 'activities', file))) as Record<string, (given: object) => object>;
        const create = Object.entries(module).find(([name]) => /^create\w+Activities$/.test(name))?.[1];
        return Object.keys(create?.(none) ?? {});
      }),
    );
    expect(names.every((list) => list.length > 0)).toBe(true);
    expect(Object.keys(createActivities(none)).sort()).toEqual(names.flat().sort());
  });
});
