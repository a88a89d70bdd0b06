import { createRequire } from 'node:module';
import type { Script } from 'node:vm';
import { compileProgram } from './code-cache.ts';

type Program = (require: NodeJS.Require, module: object, folder: string) => void;

/** Runs a program of one file, which the build made of all its modules. Returns it as V8 has compiled it. */
export function runProgram(file: URL): Script {
  const program = compileProgram(file);
  (program.runInThisContext() as Program)(createRequire(file), { exports: {} }, new URL('.', file).href);
  return program;
}
