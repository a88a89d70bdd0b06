/** A workflow file, a definition that fits it, and definitions that differ from the fitting one in a single place. */

export const workflowModule = `
import type { QueryDefinition, UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall, Envelope } from '../../src/definition/envelope.ts';

interface Input { demoId: string; size: number; colour?: string | undefined }
type Result = { outcome: 'completed'; demoId: string } | { outcome: 'cancelled'; reason?: string | undefined };

export declare const approve: UpdateDefinition<ActionAnswer<{ accepted: true }>, [ActionCall<{ note?: string | undefined }>]>;
export declare const progress: QueryDefinition<{ done: number }>;
export declare function demo(envelope: Envelope<Input>): Promise<Result>;
export declare function demoAgain(envelope: Envelope<Input>): Promise<Result>;
export declare function demoOfOtherInput(envelope: Envelope<{ demoId: string }>): Promise<Result>;
export declare function demoOfOtherResult(envelope: Envelope<Input>): Promise<{ outcome: 'completed'; demoId: string }>;
`;

export const rightDefinition = `
import { z } from 'zod';
import { defineProcess } from '../../src/definition/define-process.ts';
import type * as workflows from './virtual-workflow.ts';

export const demoV1 = defineProcess<typeof workflows>()({
  name: 'demos',
  version: 1,
  collection: 'demos',
  summary: 'A demonstration',
  description: 'Shows what the compiler compares.',
  effects: 'none',
  workflow: 'demo',
  implementations: [{ workflow: 'demoAgain', when: { share: 0.5 } }],
  taskQueue: 'demos',
  key: { from: 'body', field: 'demoId' },
  input: z.strictObject({ demoId: z.string(), size: z.number(), colour: z.string().optional() }),
  output: z.discriminatedUnion('outcome', [
    z.object({ outcome: z.literal('completed'), demoId: z.string() }),
    z.object({ outcome: z.literal('cancelled'), reason: z.string().optional() }),
  ]),
  labels: { colour: 'colour' },
  steps: { working: { label: 'Working', actions: ['approve'] } },
  actions: {
    approve: {
      summary: 'Go on',
      input: z.strictObject({ note: z.string().optional() }),
      output: z.object({ accepted: z.literal(true) }),
    },
  },
  views: { progress: { summary: 'How far', output: z.object({ done: z.number() }) } },
});
`;

function wrong(name: string, right: string, replacement: string, message: string) {
  if (rightDefinition.split(right).length !== 2) throw new Error(`"${right}" does not stand exactly once`);
  return { name, text: rightDefinition.replace(right, replacement), message };
}

/** Each with a part of what the compiler must say about it. */
export const wrongDefinitions = [
  wrong(
    'a workflow that the file does not export',
    "workflow: 'demo',",
    "workflow: 'missing',",
    'exports no such workflow',
  ),
  wrong('an update in place of the workflow', "workflow: 'demo',", "workflow: 'approve',", 'exports no such workflow'),
  wrong('an input without a field the workflow reads', ' size: z.number(),', '', 'takes another input'),
  wrong('an input with a field of another type', 'size: z.number()', 'size: z.string()', 'takes another input'),
  wrong('an input that may lack a field', 'size: z.number()', 'size: z.number().optional()', 'takes another input'),
  wrong(
    'an input with an optional field more',
    'size: z',
    'shape: z.string().optional(), size: z',
    'takes another input',
  ),
  wrong('an output with a field more', "'completed'), ", "'completed'), size: z.number(), ", 'returns another result'),
  wrong('an output without a field of the result', ', demoId: z.string() })', ' })', 'returns another result'),
  wrong(
    'an output with an outcome nobody returns',
    "z.literal('cancelled')",
    "z.literal('lost')",
    'returns another result',
  ),
  wrong(
    'an output that lacks an outcome',
    "    z.object({ outcome: z.literal('cancelled'), reason: z.string().optional() }),\n",
    '',
    'returns another result',
  ),
  wrong('an action without an update', '    approve: {', '    refuse: {', 'exports no such update'),
  wrong('a query as an action', '    approve: {', '    progress: {', 'the export is no update'),
  wrong(
    'an action with another input',
    'note: z.string().optional()',
    'note: z.string()',
    'the update takes something else',
  ),
  wrong('an action with another output', 'z.literal(true)', 'z.boolean()', 'the update answers something else'),
  wrong('a view without a query', 'views: { progress:', 'views: { overview:', 'exports no such query'),
  wrong('an update as a view', 'views: { progress:', 'views: { approve:', 'the export is no query'),
  wrong('a view with another output', 'done: z.number()', 'done: z.string()', 'the query answers something else'),
  wrong('a key that is no input field', "field: 'demoId'", "field: 'id'", '"id"'),
  wrong('a label that is no input field', "colour: 'colour'", "colour: 'color'", '"color"'),
  wrong('a step that offers an undeclared action', "actions: ['approve']", "actions: ['refuse']", '"refuse"'),
  wrong('a second implementation nobody exports', "'demoAgain'", "'demoLost'", 'exports no such workflow'),
  wrong('a second implementation with another input', "'demoAgain'", "'demoOfOtherInput'", 'take different inputs'),
  wrong(
    'a second implementation with another result',
    "'demoAgain'",
    "'demoOfOtherResult'",
    'return different results',
  ),
];
