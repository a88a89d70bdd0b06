import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { leaner } from './leaner.ts';
import { placeFunction, places } from './places.ts';

const project = join(import.meta.dirname, '..', '..');
const threadFile = 'node_modules/@temporalio/worker/lib/workflow/workflow-worker-thread.js';

/**
 * Makes one file of all modules of the program, and one of those of a thread in which workflows run, with what starts
 * them: `main.js` and `workflow-thread.js` in `<output>/src`. Native addons stay in `node_modules`, two folders above.
 * Resolves to what the two consist of. Beside them it makes the relay, `<output>/relay/main.js`.
 */
export async function buildProgram(output: string): Promise<readonly Metafile[]> {
  const folder = join(output, 'src');
  const programs = await Promise.all([
    buildOne(
      'src/main.ts',
      join(folder, 'program.cjs'),
      (name) => !/^(temporal\.api\.cloud|grpc\.gateway)\b/.test(name),
    ),
    // Workflows know what the SDK's core tells them and asks of them.
    buildOne(threadFile, join(folder, 'workflow-thread.cjs'), (name) => name.startsWith('coresdk.')),
  ]);
  await build({
    ...shared,
    entryPoints: { main: 'src/program/main.ts', 'workflow-thread': 'src/program/workflow-thread.ts' },
    outdir: folder,
    format: 'esm',
  });
  await build({
    ...shared,
    entryPoints: ['relay/main.ts'],
    outfile: join(output, 'relay/main.js'),
    format: 'esm',
    // Its three packages are beside it, as they are for the program.
    packages: 'external',
    minifyWhitespace: true,
  });
  cpSync(join(project, 'relay/schema.sql'), join(output, 'relay/schema.sql'));
  return programs;
}

const shared = {
  absWorkingDir: project,
  bundle: true,
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

async function buildOne(entry: string, outfile: string, isMessageNeeded: (name: string) => boolean): Promise<Metafile> {
  const { metafile } = await build({
    ...shared,
    entryPoints: [entry],
    outfile,
    format: 'cjs',
    metafile: true,
    // Names stay: they stand in stack traces.
    minifyWhitespace: true,
    sourcemap: 'external',
    sourcesContent: false,
    plugins: [leaner(project, isMessageNeeded), places(project, { [threadFile]: 'src/workflow-thread.js' })],
    banner: {
      js: `(function(require,module,folder){var exports=module.exports;function ${placeFunction}(name){return new URL((name.startsWith("node_modules/")?"../../":"../")+name,folder).href}`,
    },
    footer: { js: '})' },
  });
  // It is read as characters of one byte.
  if (readFileSync(outfile).some((byte) => byte > 0x7f)) throw new Error(`${outfile} holds more than ASCII`);
  return metafile;
}

/** Runs the programs in `<output>/src` once, and keeps what V8 compiled of them for the next time. */
export async function warmPrograms(output: string): Promise<void> {
  const script = join(output, 'warm.mjs');
  await build({ ...shared, entryPoints: ['scripts/build/warm.ts'], outfile: script, format: 'esm' });
  const { status } = spawnSync(process.execPath, [script, join(output, 'src')], {
    env: { PATH: process.env['PATH'], NODE_OPTIONS: process.env['NODE_OPTIONS'] },
    stdio: 'inherit',
  });
  rmSync(script);
  if (status !== 0) throw new Error('the program does not start');
}
