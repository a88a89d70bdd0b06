import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deliveryBugs } from './delivery-bugs.ts';
import { edgeBugs } from './edge-bugs.ts';
import { loadBugs } from './load-bugs.ts';
import { moneyBugs } from './money-bugs.ts';
import { plant, textsThatDoNotFit } from './plant.ts';
import type { PlantedBug } from './planted-bug.ts';
import { queueBugs } from './queue-bugs.ts';
import { scheduleBugs } from './schedule-bugs.ts';
import { taskBugs } from './task-bugs.ts';
import { workflowBugs } from './workflow-bugs.ts';

const project = join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(join(project, file), 'utf8');

const bugs = [
  ...moneyBugs,
  ...workflowBugs,
  ...edgeBugs,
  ...loadBugs,
  ...queueBugs,
  ...scheduleBugs,
  ...taskBugs,
  ...deliveryBugs,
];
const named = bugs.map((bug): [string, PlantedBug] => [bug.name, bug]);

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
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
    expect(bugs.length).toBeGreaterThanOrEqual(25);
  });
});
