import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { catalog } from '../../src/catalog/index.ts';
import { firstStepOf } from '../../src/definition/definition.ts';

const folder = new URL('../histories/', import.meta.url);

const payload = z
  .object({ data: z.base64() })
  .transform(({ data }): unknown => JSON.parse(Buffer.from(data, 'base64').toString()));
const published = z.object({
  searchAttributes: z.object({ indexedFields: z.record(z.string(), payload) }),
});
const history = z.object({
  events: z.array(
    z.object({
      workflowExecutionStartedEventAttributes: published.optional(),
      upsertWorkflowSearchAttributesEventAttributes: published.optional(),
    }),
  ),
});

/** The steps that a recorded instance published, in order; `end` where it published its outcome. */
function stepsIn(file: string): string[] {
  const { events } = history.parse(JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
  return events.flatMap(({ workflowExecutionStartedEventAttributes: start, ...rest }) => {
    const { PorticoStep: step, PorticoOutcome: outcome } =
      (start ?? rest.upsertWorkflowSearchAttributesEventAttributes)?.searchAttributes.indexedFields ?? {};
    return [...(typeof step === 'string' ? [step] : []), ...(outcome === undefined ? [] : ['end'])];
  });
}

describe.each(catalog)('$name', ({ name, steps, ...definition }) => {
  const files = readdirSync(folder).filter((file) => new RegExp(`^${name}-[0-9]`).test(file));
  const arrows = Object.entries(steps).flatMap(([step, { next = [] }]) =>
    next.map((follower) => `${step} → ${follower}`),
  );

  it.each(files)('goes only where its definition says: %s', (file) => {
    const [first, ...others] = stepsIn(file);
    expect(first).toBe(firstStepOf({ ...definition, name, steps }));
    const walked = [first, ...others].slice(0, -1).map((step, index) => `${step} → ${others[index]}`);
    expect(walked.filter((arrow) => !arrows.includes(arrow))).toEqual([]);
  });

  it('declares a way to each of its steps', () => {
    const reached = arrows.map((arrow) => arrow.split(' → ')[1]);
    const unreached = Object.keys(steps)
      .slice(1)
      .filter((step) => !reached.includes(step));
    expect(unreached).toEqual([]);
  });
});
