import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SettingsOf } from '../config/process-settings.ts';
import type { ImplementationRule, ProcessDefinition } from './definition.ts';

interface NewStart {
  readonly tenant: string;
  readonly key: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/**
 * The workflow that a new start runs: the first implementation whose rule fits, otherwise the definition's own.
 * The choice depends on the definition and the start alone, so a repeated start makes the same choice.
 */
export const implementationOf = (definition: ProcessDefinition, start: NewStart): string =>
  definition.implementations.find(({ when }) => fits(when, start))?.workflow ?? definition.workflow;

/** The same definitions, with the shares that settings give. Call it once, before any start. */
export const withShares = (
  definitions: readonly ProcessDefinition[],
  settingsOf: SettingsOf,
): readonly ProcessDefinition[] =>
  definitions.map((definition) => ({
    ...definition,
    implementations: definition.implementations.map(({ workflow, when }) => ({
      workflow,
      when:
        'shareSetting' in when ? { share: z.number().parse(settingsOf(definition.settings)[when.shareSetting]) } : when,
    })),
  }));

function fits(rule: ImplementationRule, { tenant, key, input }: NewStart): boolean {
  if ('tenants' in rule) return rule.tenants.includes(tenant);
  if ('shareSetting' in rule) throw new Error(`nobody has read the setting ${rule.shareSetting}`);
  if ('field' in rule) return valueAt(input, rule.field) === rule.equals;
  return positionOf(tenant, key) < rule.share;
}

/** A number in [0, 1) that spreads keys evenly and never changes for one key. */
const positionOf = (tenant: string, key: string): number =>
  createHash('sha256').update(`${tenant}/${key}`).digest().readUInt32BE() / 2 ** 32;

/** The value at a dotted path such as `amount.currency`. */
const valueAt = (input: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => {
    const isRecord = (candidate: unknown): candidate is Record<string, unknown> =>
      typeof candidate === 'object' && candidate !== null && Object.hasOwn(candidate, name);
    return isRecord(value) ? value[name] : undefined;
  }, input);
