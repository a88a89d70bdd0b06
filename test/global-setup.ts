import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../local/temporal/cli.ts';
import { makeEmbeddedTemplate } from './servers/embedded.ts';
import { startTemporalServer } from './servers/temporal.ts';

/** One Temporal server in memory for the whole run, an embedded database to copy, and a folder for bundles. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, template] = await Promise.all([startServer(), makeEmbeddedTemplate()]);
  project.provide('temporalAddress', server?.address ?? '');
  const bundles = mkdtempSync(join(tmpdir(), 'portico-bundles-'));
  project.provide('embeddedTemplate', template.folder);
  project.provide('bundles', bundles);
  return async () => {
    await server?.stop();
    await template.remove();
    rmSync(bundles, { recursive: true, force: true });
  };
}

/** Tests of pure logic run without one as well. */
const startServer = async () =>
  findTemporalCli({ environment: process.env, log: console.warn }) === undefined ? undefined : startTemporalServer();
