import type { ProcessDefinition } from '../definition/definition.ts';
import { delayedTasksV1 } from './delayed-tasks.ts';
import { transfersV1 } from './transfers.ts';
import { userGrantsV1 } from './user-grants.ts';

/** Every process Portico offers. */
export const catalog: readonly ProcessDefinition[] = [transfersV1, userGrantsV1, delayedTasksV1];
