import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedDatabase } from '../../local/database/embedded.ts';
import { silentLogger } from '../harness/silent-logger.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of an embedded database that was made and has nothing in it. */
    embeddedTemplate: string;
  }
}

/** Makes the database that the tests of a run copy: making one takes seconds, a copy a tenth of one. */
export async function makeEmbeddedTemplate(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-template-'));
  const embedded = await openEmbeddedDatabase({ folder, logger: silentLogger });
  await embedded.close();
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * Lays an empty database into `folder` unless one is there: `openEmbeddedDatabase` then has none to make. Outside of a
 * test run, as where histories are recorded, there is nothing to copy.
 */
export async function layEmbeddedDatabase(folder: string): Promise<void> {
  if (process.env['VITEST'] === undefined || existsSync(join(folder, 'data'))) return;
  // Vitest can be imported in a test run only.
  const { inject } = await import('vitest');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await cp(join(inject('embeddedTemplate'), 'data'), join(folder, 'data'), { recursive: true });
}
