import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { prunedMessages } from './messages.ts';
import { placeFunction } from './places.ts';

const require = createRequire(import.meta.url);

/**
 * Leaves out of a program what it never needs, and puts off what it rarely needs. `isMessageNeeded` tells by its full name whether a type of
 * Temporal's messages is needed; those that it consists of are kept with it.
 */
export const leaner = (project: string, isMessageNeeded: (name: string) => boolean): Plugin => ({
  name: 'leaner',
  setup(build) {
    const inPackage = (file: string) => join(project, 'node_modules', file);
    const replaced: Readonly<Record<string, () => string | Promise<string>>> = {
      [inPackage('@temporalio/proto/protos/json-module.js')]: () => prunedMessages(isMessageNeeded),
      // Webpack comes with it, and a build brings its workflows bundled.
      [inPackage('@temporalio/worker/lib/workflow/bundler.js')]: () =>
        putOff('@temporalio/worker/lib/workflow/bundler.js'),
      // It asks whether this is another runtime by making a response, for which Node.js loads its HTTP client.
      [inPackage('pg/lib/stream.js')]: async () =>
        `var Response;\n${await readFile(inPackage('pg/lib/stream.js'), 'utf8')}`,
    };
    for (const file of Object.keys(replaced)) require.resolve(file);
    // The build has rendered the reference.
    build.onResolve({ filter: /^\.\/rendering\.ts$/ }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /\.js$/ }, async ({ path }) => {
      const contents = await replaced[path]?.();
      return contents === undefined ? undefined : { contents, loader: 'js' };
    });
  },
});

/** A module that is loaded from its package when one of its exports is read. */
function putOff(file: string): string {
  const names = Object.keys(require(file) as object).filter((name) => name !== '__esModule');
  const load = `require(require("node:url").fileURLToPath(${placeFunction}(${JSON.stringify(`node_modules/${file}`)})))`;
  return [
    'Object.defineProperty(exports, "__esModule", { value: true });',
    ...names.map(
      (name) => `Object.defineProperty(exports, "${name}", { enumerable: true, get: () => ${load}.${name} });`,
    ),
  ].join('\n');
}
