import { createHash } from 'node:crypto';
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

function fits(rule: ImplementationRule, { tenant, key, input }: NewStart): boolean {
  if ('tenants' in rule) return rule.tenants.includes(tenant);
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
