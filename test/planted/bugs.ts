import { deliveryBugs } from './delivery-bugs.ts';
import { edgeBugs } from './edge-bugs.ts';
import { loadBugs } from './load-bugs.ts';
import { moneyBugs } from './money-bugs.ts';
import type { PlantedBug } from './planted-bug.ts';
import { queueBugs } from './queue-bugs.ts';
import { relayBugs } from './relay-bugs.ts';
import { scheduleBugs } from './schedule-bugs.ts';
import { taskBugs } from './task-bugs.ts';
import { workflowBugs } from './workflow-bugs.ts';

/** Every bug, by what it is about. */
export const plantedBugs: readonly PlantedBug[] = [
  ...moneyBugs,
  ...workflowBugs,
  ...edgeBugs,
  ...loadBugs,
  ...queueBugs,
  ...scheduleBugs,
  ...taskBugs,
  ...deliveryBugs,
  ...relayBugs,
];
