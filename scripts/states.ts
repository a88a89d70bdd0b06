import type { ProcessDefinition } from '../src/definition/definition.ts';

/** The steps of a definition and what may follow each, as a Mermaid state diagram. Empty where it does not say. */
export function renderStates({ steps }: ProcessDefinition): string {
  const arrows = Object.entries(steps).flatMap(([step, { next = [] }]) =>
    next.map((follower) => `  ${idOf(step)} --> ${follower === 'end' ? '[*]' : idOf(follower)}`),
  );
  if (arrows.length === 0) return '';
  const [first = ''] = Object.keys(steps);
  const names = Object.keys(steps)
    .filter((step) => step !== idOf(step))
    .map((step) => `  state "${step}" as ${idOf(step)}`);
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  direction LR',
    ...names,
    `  [*] --> ${idOf(first)}`,
    ...arrows,
    '```',
  ].join('\n');
}

/** Mermaid's ids have no hyphens. */
const idOf = (step: string): string => step.replaceAll('-', '_');
