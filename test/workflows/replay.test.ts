import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { catalog } from '../../src/catalog/index.ts';
import { outcomesOf } from '../../src/definition/definition.ts';
import { recordings } from '../fixtures/recordings.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { currentWorkflows, sharedBundle } from '../servers/bundles.ts';

const folder = new URL('../histories/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));

const replay = async (file: string, workflowsPath: string): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle: await sharedBundle(workflowsPath), sinks: silentSinks }, read(file));
const silentSinks = { instances: { ended: { fn: () => undefined, callDuringReplay: false } } };

const upserts = z.object({
  events: z.array(
    z.object({
      upsertWorkflowSearchAttributesEventAttributes: z
        .object({ searchAttributes: z.object({ indexedFields: z.record(z.string(), z.object({ data: z.string() })) }) })
        .optional(),
    }),
  ),
});

/** The outcome that a recorded instance published; undefined for one in flight. */
function outcomeIn(file: string): unknown {
  const published = upserts
    .parse(read(file))
    .events.flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) => {
      const outcome = upsert?.searchAttributes.indexedFields['PorticoOutcome'];
      return outcome === undefined ? [] : [outcome.data];
    });
  return published[0] === undefined ? undefined : JSON.parse(Buffer.from(published[0], 'base64').toString());
}

describe('the recorded histories', () => {
  it.each(files)('%s replays on the code of today', async (file) => {
    await expect(replay(file, currentWorkflows)).resolves.toBeUndefined();
  });

  it('are those that can be recorded, no less and no more', () => {
    expect(files.toSorted()).toEqual(
      Object.keys(recordings)
        .map((name) => `${name}.json`)
        .toSorted(),
    );
  });

  const recordedProcesses = catalog.filter(({ name }) => files.some((file) => file.startsWith(`${name}-`)));
  it.each(recordedProcesses.map((definition) => ({ name: definition.name, definition })))(
    'of $name cover every outcome, and an instance in flight',
    ({ name, definition }) => {
      const recorded = new Set(files.filter((file) => file.startsWith(`${name}-`)).map(outcomeIn));
      expect([...recorded].toSorted()).toEqual([...outcomesOf(definition), undefined].toSorted());
    },
  );
});

describe('the step for adults', () => {
  const before = files.filter((file) => file.startsWith('user-grants-1-'));
  const pastTheStep = ['user-grants-1-completed.json', 'user-grants-1-granting.json'];

  it.each(before)('was recorded by the code before it: %s', async (file) => {
    await expect(replay(file, fixtureWorkflows('user-grants-before-adults'))).resolves.toBeUndefined();
  });

  it.each(pastTheStep)(
    'breaks an instance that had passed it where it is inserted without a patch: %s',
    async (file) => {
      await expect(replay(file, fixtureWorkflows('user-grants-unpatched'))).rejects.toThrow(DeterminismViolationError);
    },
  );

  it('finds its error class, so that the test above can fail', () => {
    expect(DeterminismViolationError).toBeTypeOf('function');
  });
});
