// Only workflow functions are exported here: the actions of two processes may have the same name.
export { delayedTasks } from './delayed-tasks.ts';
export { launches } from './launches.ts';
export { transfers, transfersAtOnce } from './transfers.ts';
export { userGrants } from './user-grants.ts';
