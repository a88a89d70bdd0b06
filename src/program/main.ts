import { runProgram } from './run.ts';
import { nameSourcesInStacks } from './stack-frames.ts';

/** `dist/src/main.js`: runs the program that the build made of `src/main.ts`. */
const program = new URL('./program.cjs', import.meta.url);
nameSourcesInStacks(program);
runProgram(program);
