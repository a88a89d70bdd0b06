import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plantedBugs } from './bugs.ts';
import { plant, textsThatDoNotFit } from './plant.ts';
import type { PlantedBug } from './planted-bug.ts';

const project = join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(join(project, file), 'utf8');

const named = plantedBugs.map((bug): [string, PlantedBug] => [bug.name, bug]);

describe('the bug that `npm run test:planted` plants:', () => {
  it.each(named)('%s, fits the code as it is', (_, bug) => {
    if (bug.mayBeGone === undefined) expect(textsThatDoNotFit(bug, read)).toEqual([]);
    expect(read(bug.caughtBy[0])).toContain('expect(');
  });
});

describe('planting', () => {
  const bug: PlantedBug = { name: 'b', edits: [{ file: 'a.ts', find: 'a $& b', put: "$'" }], caughtBy: ['t', 'n'] };

  it('puts a text as it stands in the place of another', () => {
    const files = new Map([['a.ts', '1 a $& b 2']]);
    plant(bug, { read: (file) => files.get(file) ?? '', write: (file, text) => void files.set(file, text) });
    expect(files.get('a.ts')).toBe("1 $' 2");
  });

  it.each([
    ['is not there', 'else', 'a.ts has 0 times: a $& b'],
    ['is there twice', 'a $& b a $& b', 'a.ts has 2 times: a $& b'],
  ])('says where a text %s', (_, text, misfit) => {
    expect(textsThatDoNotFit(bug, () => text)).toEqual([misfit]);
  });

  it('knows each bug by a name of its own', () => {
    expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length);
    expect(plantedBugs.length).toBeGreaterThanOrEqual(25);
  });
});
