import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { provideTemporalCli } from '../local/temporal/cli.ts';
import { startDevServer } from '../local/temporal/dev-server.ts';
import { freePort } from '../src/worker/free-port.ts';
import { record, recordings } from './fixtures/recordings.ts';

/**
 * Records histories of workflows on a real server: `npm run record -- NAME …`, or
 * `--missing` for all of `test/workflows/recordings.ts` that have no file yet. Never overwrites one: a recorded history
 * stands for instances in flight, which code that no longer fits it would break. To replace one, delete it first.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'test/histories');
const fileOf = (name: string) => join(folder, `${name}.json`);

function namesFrom(given: readonly string[]): string[] {
  if (given.length === 0)
    throw new Error(`Name histories to record, or --missing. Known: ${Object.keys(recordings).join(' ')}`);
  const names = given.includes('--missing')
    ? Object.keys(recordings).filter((name) => !existsSync(fileOf(name)))
    : [...given];
  const unknown = names.filter((name) => !(name in recordings));
  if (unknown.length > 0) throw new Error(`There is no recording of that name: ${unknown.join(' ')}`);
  const recorded = names.filter((name) => existsSync(fileOf(name)));
  if (recorded.length > 0) throw new Error(`Recorded before, and not overwritten: ${recorded.join(' ')}`);
  return names;
}

async function recordAll(names: readonly string[]): Promise<void> {
  const cliPath = await provideTemporalCli({ environment: process.env, log: console.error });
  const state = mkdtempSync(join(tmpdir(), 'portico-histories-'));
  const server = await startDevServer({ cliPath, port: await freePort(), logFile: join(state, 'server.log') });
  try {
    await record(names, {
      address: server.address,
      keep: async (name, handle) => {
        // Stacks of failures name files: by their place in the repository, not on this machine.
        const history = historyToJSON(await handle.fetchHistory()).replaceAll(root, '');
        writeFileSync(fileOf(name), `${history}\n`, { flag: 'wx' });
        console.log(`recorded ${name}`);
      },
    });
  } finally {
    await server.end();
    rmSync(state, { recursive: true, force: true });
  }
}

try {
  await recordAll(namesFrom(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
