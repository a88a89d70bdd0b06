import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { constants, Script } from 'node:vm';

/** Where the code cache of a program lies. */
const cacheOf = (file: string): string => file.replace(/\.cjs$/, '.cache');

/** Where V8 keeps a hash of its options in a code cache, in all of its releases that Node.js 20 to 24 have. */
const [optionsFrom, optionsTo] = [12, 16];

/** Options of Node.js and V8 that leave what V8 compiles as it is. Sizes of heaps are what a deployment sets. */
const neutral = new RegExp(
  `^--(${[
    'max-old-space-size|max-semi-space-size|max-heap-size',
    'cpu-prof|heap-prof|inspect|conditions|import|require|enable-source-maps',
    'trace-warnings|no-warnings|no-deprecation|experimental-(vm-modules|loader|import-meta-resolve)',
  ].join('|')})\\b`,
);

/**
 * Compiles a program of one file, which is an expression for a function. Where its code cache is of the same V8, most of
 * it is compiled already. Any other cache, or none, costs time and nothing else: V8 compares it with itself.
 */
export function compileProgram(file: URL): Script {
  const filename = fileURLToPath(file);
  const cache = cacheOf(filename);
  return new Script(readFileSync(filename, 'latin1'), {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(existsSync(cache) ? { cachedData: withOwnOptions(readFileSync(cache)) } : {}),
  });
}

/** Writes the code cache of a program that runs, with the functions that it has needed until now. */
export const writeCodeCache = (file: URL, program: Script): void =>
  writeFileSync(cacheOf(fileURLToPath(file)), program.createCachedData());

/** V8 takes a cache from the same options alone. Where all that differ are neutral, the cache says that it has them. */
function withOwnOptions(cache: Buffer): Buffer {
  // eslint-disable-next-line no-restricted-properties -- options of Node.js are no settings of Portico
  const options = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  if (options.every((option) => !option.startsWith('--') || neutral.test(option.replaceAll('_', '-'))))
    new Script('0').createCachedData().copy(cache, optionsFrom, optionsFrom, optionsTo);
  return cache;
}
