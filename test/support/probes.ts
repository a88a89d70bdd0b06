import { z } from 'zod';
import { businessKey } from '../../src/catalog/fields.ts';
import { defineProcess } from '../../src/catalog/define-process.ts';
import type * as workflows from './probe-workflows.ts';

/**
 * A process for tests alone: it can end in every way an instance can end, go on in a new run, and run by either of two
 * implementations.
 */
export const probeInput = z
  .strictObject({
    probeId: businessKey,
    mode: z.enum(['wait', 'finish', 'fail']).default('wait'),
    color: z
      .string()
      .regex(/^[a-z]{1,20}$/)
      .optional(),
  })
  .meta({ id: 'ProbeInput' });

export const probeOutput = z
  .discriminatedUnion('outcome', [
    z
      .object({ outcome: z.literal('completed'), by: z.enum(['first', 'second']), pings: z.int() })
      .meta({ id: 'ProbeCompleted' }),
    z.object({ outcome: z.literal('dropped'), by: z.enum(['first', 'second']) }).meta({ id: 'ProbeDropped' }),
  ])
  .meta({ id: 'ProbeResult' });

export const note = z.strictObject({ note: z.string().optional() }).meta({ id: 'ProbeNote' });
export const pingAnswer = z.object({ pings: z.int() }).meta({ id: 'ProbePings' });
export const progress = z.object({ pings: z.int(), by: z.enum(['first', 'second']) }).meta({ id: 'ProbeProgress' });

export type ProbeInput = z.output<typeof probeInput>;
export type ProbeOutput = z.output<typeof probeOutput>;
export type Note = z.output<typeof note>;
export type PingAnswer = z.output<typeof pingAnswer>;
export type Progress = z.output<typeof progress>;

export const probesV1 = defineProcess<typeof workflows>()({
  name: 'probes',
  version: 1,
  collection: 'probes',
  summary: 'A process for tests',
  description: 'Waits to be told what to do.',
  effects: 'none',
  workflow: 'probes',
  implementations: [
    { workflow: 'probesAnew', when: { tenants: ['early-adopter'] } },
    { workflow: 'probesAnew', when: { field: 'color', equals: 'green' } },
  ],
  taskQueue: 'probes',
  key: { from: 'body', field: 'probeId' },
  input: probeInput,
  output: probeOutput,
  labels: { color: 'color' },
  steps: {
    waiting: { label: 'Waiting', actions: ['ping', 'renew', 'finish', 'drop'] },
    pinged: { label: 'Waiting, pinged', actions: ['ping', 'renew', 'finish', 'drop'] },
  },
  actions: {
    ping: { summary: 'Count one ping', input: note, output: pingAnswer },
    renew: { summary: 'Go on in a new run', input: note, output: pingAnswer },
    finish: { summary: 'End it', input: note, output: pingAnswer },
    drop: { summary: 'End it otherwise', input: note, output: pingAnswer },
  },
  views: { progress: { summary: 'How many pings were counted', output: progress } },
});

/** The same process keyed by header, with hashed ids. */
export const parcelsV1 = defineProcess<typeof workflows>()({
  name: 'parcels',
  version: 1,
  collection: 'parcels',
  summary: 'A process for tests, keyed by header',
  description: 'Ends at once.',
  effects: 'none',
  workflow: 'probes',
  taskQueue: 'probes',
  key: { from: 'header', hashed: true },
  input: probeInput,
  output: probeOutput,
  steps: { waiting: { label: 'Waiting' }, pinged: { label: 'Pinged' } },
});
