// Workflow functions alone: two processes may both have an action called `cancel`, exported by their own files.
export { transfers } from './transfers.ts';
export { userGrants } from './user-grants.ts';
