import type { ProcessDefinition } from '../definition/definition.ts';
import type { InstanceRef } from './identity.ts';

/** An instance as the callers of the gateway name it. */
export interface InstanceAddress {
  readonly definition: ProcessDefinition;
  readonly tenant: string;
  readonly key: string;
  /** 1 unless a later instance of the same key is meant. */
  readonly generation?: number | undefined;
}

/** The same instance as ids are made of it. */
export const refOf = ({ definition, tenant, key, generation = 1 }: InstanceAddress): Required<InstanceRef> => ({
  tenant,
  process: definition.name,
  key,
  generation,
});
