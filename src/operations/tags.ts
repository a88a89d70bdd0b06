import { catalog } from '../catalog/index.ts';
import { outcomesOf } from '../definition/definition.ts';

/** What is said of all operations of one resource; of a process, also where its instances may stand and how they end. */
export interface TagDescription {
  readonly description: string;
  readonly 'x-steps'?: readonly StepDescription[];
  readonly 'x-outcomes'?: readonly string[];
}

interface StepDescription {
  readonly name: string;
  readonly label: string;
  readonly waitsFor?: string;
  readonly actions?: readonly string[];
}

export type TagDescriptions = Readonly<Record<string, TagDescription>>;

export const tagDescriptions: TagDescriptions = {
  ...Object.fromEntries(
    catalog.map((definition) => [
      definition.name,
      {
        description: `${definition.summary}. ${definition.description}`,
        'x-steps': Object.entries(definition.steps).map(([name, { label, waitsFor, actions }]) => ({
          name,
          label,
          ...(waitsFor === undefined ? {} : { waitsFor }),
          ...(actions === undefined ? {} : { actions }),
        })),
        'x-outcomes': outcomesOf(definition),
      },
    ]),
  ),
  accounts: { description: 'What transfers move money between, each of one currency.' },
  batch: { description: 'Many starts and actions by one request, each as if it came alone.' },
  events: { description: 'CloudEvents that start processes or act on their instances.' },
  endpoints: { description: 'Where webhooks go: URLs, and the secrets that sign what is sent there.' },
  schedules: { description: 'Start a process again and again, at times that a spec names.' },
  suspense: { description: 'The money of settled transfers, until two persons have moved it to an account.' },
  users: { description: 'What user grants have brought to a user.' },
};
