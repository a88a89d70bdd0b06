import type { JudgingServices } from '../../src/definition/definition.ts';

/** For launches of processes whose definitions judge no start: nothing of it is used. */
export const judgesNothing = {} as JudgingServices;
