import { runProgram } from './run.ts';

/** `dist/src/workflow-thread.js`: a thread of the SDK's in which workflows run, from one file. */
runProgram(new URL('./workflow-thread.cjs', import.meta.url));
