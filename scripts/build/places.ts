import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Lets modules of one file find the files beside them: what a module reads by `import.meta.url`, `__dirname` or
 * `require.resolve` is where it would be, for ours below the build's folder, for a package's below `node_modules`. Native
 * addons stay files. Of packages the source map tells the file alone. `threads` are modules that are built by themselves:
 * where a thread shall run them, it runs the build of that name.
 */
export const places = (project: string, threads: Readonly<Record<string, string>>): Plugin => ({
  name: 'places',
  setup(build) {
    build.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /\.([cm]?js|ts)$/ }, async ({ path }) => {
      const file = relative(project, path);
      const source = await readFile(path, 'utf8');
      const contents = withPlaces(source, file, threads);
      if (file.startsWith('node_modules/')) return { contents: `${contents}\n${nameOnly(file)}`, loader: 'js' };
      return { contents, loader: file.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
});

/** The name of the function that the program gets, and which says where a file of the project is. */
export const placeFunction = '__portico_place';

function withPlaces(source: string, file: string, threads: Readonly<Record<string, string>>): string {
  const url = `${placeFunction}(${JSON.stringify(builtName(file))})`;
  const path = `require("node:url").fileURLToPath(${url})`;
  const declares = (name: string): boolean => new RegExp(`(const|let|var)\\s+${name}\\b`).test(source);
  let text = source.replaceAll(/\bimport\.meta\.url\b/g, url);
  if (!declares('__filename')) text = text.replaceAll(/(?<![.\w'"`])__filename\b/g, path);
  if (!declares('__dirname'))
    text = text.replaceAll(/(?<![.\w'"`])__dirname\b/g, `require("node:path").dirname(${path})`);
  return text.replaceAll(/\brequire\.resolve\((['"])(\.[^'"]*)\1\)/g, (_, _quote, to: string) => {
    const target = new URL(to, `file:///${file}`).pathname.slice(1).replace(/(\.js)?$/, '.js');
    const thread = threads[target];
    return `require("node:url").fileURLToPath(${placeFunction}(${JSON.stringify(thread ?? target)}))`;
  });
}

const builtName = (file: string): string => file.replace(/\.ts$/, '.js');

/** A source map without lines: the trace of an error names the file, and the map stays small. */
function nameOnly(file: string): string {
  const map = JSON.stringify({ version: 3, sources: [file.split('/').pop()], mappings: 'AAAA', names: [] });
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}`;
}
