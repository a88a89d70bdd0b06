import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflows } from '../../src/worker/bundle.ts';
import { silentLogger } from '../harness/silent-logger.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the bundles that the tests of a run share. */
    bundles: string;
  }
}

export interface SharedBundle {
  readonly codePath: string;
  /** How long this machine took to make it, in milliseconds. */
  readonly tookMs: number;
}

const project = join(import.meta.dirname, '..', '..');

/** The workflows as they are released. */
export const currentWorkflows = join(project, 'workflows', 'index.ts');

const known = new Map<string, Promise<SharedBundle>>();

/**
 * The bundle of a workflow file. Making one takes a second or more of processor, so that the tests of a run make each
 * once. One of other sources is another.
 */
export function sharedBundle(workflowsPath: string): Promise<SharedBundle> {
  const bundle = known.get(workflowsPath) ?? findOrMake(workflowsPath);
  known.set(workflowsPath, bundle);
  return bundle;
}

async function findOrMake(workflowsPath: string): Promise<SharedBundle> {
  const digest = createHash('sha256').update(`${workflowsPath} ${newestMs()}`).digest('hex').slice(0, 16);
  const file = join(await folderOfRun(), digest);
  const [codePath, duration] = [`${file}.js`, `${file}.ms`];
  if (!existsSync(duration)) {
    const startedAt = performance.now();
    const code = await bundleWorkflows({ workflowsPath, logger: silentLogger });
    put(codePath, code);
    put(duration, String(Math.ceil(performance.now() - startedAt)));
  }
  return { codePath, tookMs: Number(readFileSync(duration, 'utf8')) };
}

/** Another process may read the file, or make the same one. */
function put(file: string, text: string): void {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, text);
  renameSync(own, file);
}

/** When a source of workflows changed last: tests that are watched outlive their sources. */
const newestMs = (): number =>
  Math.max(
    ...['activities', 'src', 'workflows', 'test/fixtures'].flatMap((folder) =>
      readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => statSync(join(project, folder, name)).mtimeMs,
      ),
    ),
  );

/** Outside of a test run, as where histories are recorded, the folder is this process's own. */
async function folderOfRun(): Promise<string> {
  if (process.env['VITEST'] !== undefined) return (await import('vitest')).inject('bundles');
  const folder = mkdtempSync(join(tmpdir(), 'portico-bundles-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
