import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../local/temporal/cli.ts';
import { makeEmbeddedTemplate } from './servers/embedded.ts';
import { startTemporalServer } from './servers/temporal.ts';

/** One Temporal server in memory for the whole run, and an embedded database to copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [server, template] = await Promise.all([startServer(), makeEmbeddedTemplate()]);
  project.provide('temporalAddress', server?.address ?? '');
  project.provide('embeddedTemplate', template.folder);
  return async () => {
    await server?.stop();
    await template.remove();
  };
}

/** Tests of pure logic run without one as well. */
const startServer = async () =>
  findTemporalCli({ environment: process.env, log: console.warn }) === undefined ? undefined : startTemporalServer();
