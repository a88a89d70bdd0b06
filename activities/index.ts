import { createTransferActivities } from './transfers.ts';
import { createUserGrantActivities } from './user-grants.ts';

type Dependencies = Parameters<typeof createTransferActivities>[0] & Parameters<typeof createUserGrantActivities>[0];

/** Every activity of every process, by the name that workflows call. Names are unique across processes. */
export const createActivities = (dependencies: Dependencies) => ({
  ...createTransferActivities(dependencies),
  ...createUserGrantActivities(dependencies),
});
